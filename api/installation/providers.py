"""GET, PUT and DELETE /v1/providers/{name}: the OAuth 2 providers where people authorize runs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.responses import Response

from api.consent.callback_address import callback_url
from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import read_as
from api.http.path_names import NAMED
from api.http.problems import Problem, invalid
from api.http.responses import Answer
from api.http.transactions import reading
from api.installation.provider_body import NewProviderBody
from api.shapes import ProviderBody, ProviderList
from models.authorization.encryption import provider_place, seal
from models.runs.public_event import timestamp
from models.runtime.engine import engine
from models.runtime.facts import fact
from models.runtime.settings import settings
from models.tables.provider import Provider

router = APIRouter(tags=["Installation"])

Operator = Annotated[Caller, Depends(may("operate"))]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_WITH_SECRET = {
    "tokenUrl": "token_url",
    "revocationUrl": "revocation_url",
    "clientId": "client_id",
    "clientAuth": "client_auth",
}
_EXAMPLE = {
    "authorizeUrl": "https://accounts.example.com/authorize",
    "tokenUrl": "https://accounts.example.com/token",
    "clientId": "taxiway",
    "clientSecret": "s3cret",
    "scopes": ["offline_access"],
    "parameters": {"prompt": "consent"},
}


@router.get("/v1/providers", response_model=ProviderList, summary="Providers", responses=refusals())
def list_providers(_caller: Operator) -> Answer:
    """List the providers; never their client secrets."""
    with reading() as session:
        found = session.exec(select(Provider).order_by(col(Provider.name))).all()
        return Answer({"providers": [_shown(provider) for provider in found]})


@router.get(
    f"/v1/providers/{NAMED}", response_model=ProviderBody, summary="A provider", responses=refusals("not_found")
)
def read_provider(name: str, _caller: Operator) -> Answer:
    """Return a provider; never its client secret."""
    with reading() as session:
        return Answer(_shown(_found(session, name)))


@router.put(
    f"/v1/providers/{NAMED}",
    response_model=ProviderBody,
    summary="Make or change a provider",
    responses=response(201, "It is new.", ProviderBody) | refusals(*BODY),
    openapi_extra=request_body(NewProviderBody, _EXAMPLE),
)
def put_provider(name: str, caller: Operator, raw: Annotated[bytes, Depends(body_within(small_limit))]) -> Answer:
    """Make or change a provider; runs that wait for it use the new configuration. The client secret is never shown again.

    A secret belongs to the addresses and the client that it was sent with: a call that changes one of these must send it again.
    Grants from before such a change are not used until the provider is changed back.
    """
    if not _NAME.fullmatch(name):
        raise invalid("name", "must have 1 to 64 letters, digits, dots, dashes and underscores")
    body = read_as(NewProviderBody, json_object(raw))
    with Session(engine(), expire_on_commit=False) as session:
        known = session.get(Provider, name, with_for_update=True)
        new: dict[str, Any] = {"name": name}
        provider = known or Provider(**new)
        if known:
            _check_secret(known, body)
        _take_over(provider, body)
        if known:
            provider.updated_at = cast("Any", func.now())
        session.add(provider)
        session.commit()
        session.refresh(provider)
    fact("provider.changed", provider=name, by=caller.key)
    return Answer(_shown(provider), 200 if known else 201)


@router.delete(
    f"/v1/providers/{NAMED}",
    status_code=204,
    response_model=None,
    summary="Delete a provider",
    responses=response(204, "It is deleted.") | refusals("not_found"),
)
def delete_provider(name: str, caller: Operator) -> Response:
    """Delete a provider. Its grants stay, and are used again if the same provider is made again."""
    with Session(engine()) as session:
        session.delete(_found(session, name))
        session.commit()
    fact("provider.forgotten", provider=name, by=caller.key)
    return Response(status_code=204)


def _check_secret(known: Provider, body: NewProviderBody) -> None:
    """Refuse to keep a secret for a changed address, client or method: it must be sent again together with these."""
    changed = [name for name, column in _WITH_SECRET.items() if getattr(known, column) != getattr(body, name)]
    if changed and "clientSecret" not in body.model_fields_set:
        were = "was" if len(changed) == 1 else "were"
        raise invalid(
            "clientSecret",
            f"must be sent again because {', '.join(changed)} {were} changed: send the matching secret, or null",
        )


def _take_over(provider: Provider, body: NewProviderBody) -> None:
    provider.authorize_url, provider.token_url = body.authorizeUrl, body.tokenUrl
    provider.revocation_url, provider.client_id = body.revocationUrl, body.clientId
    provider.client_auth, provider.scopes = body.clientAuth, list(dict.fromkeys(body.scopes))
    provider.parameters, provider.issuer = body.parameters, body.issuer
    provider.callback = body.callback or provider.callback
    if "clientSecret" in body.model_fields_set:
        secret = body.clientSecret
        place = provider_place(provider.name)
        provider.sealed_secret = None if secret is None else seal(settings().secret_key, secret, place)


def _found(session: Session, name: str) -> Provider:
    provider = session.get(Provider, name)
    if provider is None:
        raise Problem("not_found", "There is no provider with this name: see GET /v1/providers.")
    return provider


def _shown(provider: Provider) -> ProviderBody:
    parameters: Mapping[str, str] = provider.parameters or {}
    return {
        "name": provider.name,
        "authorizeUrl": provider.authorize_url,
        "tokenUrl": provider.token_url,
        "revocationUrl": provider.revocation_url,
        "clientId": provider.client_id,
        "clientAuth": cast("Any", "none" if provider.sealed_secret is None else provider.client_auth),
        "scopes": provider.scopes,
        "parameters": dict(parameters),
        "issuer": provider.issuer,
        "callback": cast("Any", provider.callback),
        "callbackUrl": callback_url(provider),
        "createdAt": timestamp(provider.created_at),
        "updatedAt": timestamp(provider.updated_at),
    }
