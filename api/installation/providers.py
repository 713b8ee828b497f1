"""GET, PUT and DELETE /v1/providers/{name}: the OAuth 2 providers at which people may authorize runs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, Field
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.responses import Response

from api.answers import Answer
from api.auth import Caller, may
from api.body import body_within, json_object, small_limit
from api.documented import BODY, refusals, shows, takes
from api.fields import Text, says
from api.names import NAMED
from api.problems import Problem, invalid
from api.requests import Body, read_as
from api.shapes import ProviderBody, ProviderList
from api.transactions import reading
from models.database import engine
from models.events import timestamp
from models.facts import fact
from models.provider import Provider
from models.sealing import provider_place, seal
from models.settings import settings

router = APIRouter(tags=["Installation"])

Operator = Annotated[Caller, Depends(may("operate"))]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OURS = frozenset(
    {
        "client_id",
        "client_secret",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    }
)
_EXAMPLE = {
    "authorizeUrl": "https://accounts.example.com/authorize",
    "tokenUrl": "https://accounts.example.com/token",
    "clientId": "taxiway",
    "clientSecret": "s3cret",
    "scopes": ["offline_access"],
    "parameters": {"prompt": "consent"},
}


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        raise ValueError("must be an https address") from None
    if not secure or not parts.hostname or parts.fragment or parts.username or any(ord(sign) <= 32 for sign in value):
        raise ValueError("must be an https address without user and fragment (http on loopback only)")
    return value


def _no_more(value: dict[str, str]) -> dict[str, str]:
    if taken := sorted(_OURS & value.keys()):
        raise ValueError(f"must not hold {', '.join(taken)}, which are set for each authorization")
    return value


_AN_ADDRESS = r"^(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,4})?(/[^\u0000-\u0020#]*)?$"
Address = Annotated[Text, Field(max_length=2000), AfterValidator(_address), says(pattern=_AN_ADDRESS)]
Scope = Annotated[
    Text, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$"), says(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")
]
Short = Annotated[Text, Field(min_length=1, max_length=2000)]


class NewProviderBody(Body):
    """How to speak to a provider."""

    authorizeUrl: Annotated[Address, Field(description="Where people authorize.")]  # noqa: N815  as the API spells it
    tokenUrl: Annotated[Address, Field(description="Where codes and refresh tokens are exchanged.")]  # noqa: N815
    revocationUrl: Annotated[Address | None, Field(description="RFC 7009; told when a grant is revoked.")] = None  # noqa: N815
    clientId: Annotated[Short, Field(description="As whom this installation is registered.")]  # noqa: N815
    clientSecret: Annotated[Short | None, Field(description="Kept as it is when left out; null: there is none.")] = None  # noqa: N815
    clientAuth: Literal["basic", "post"] = "basic"  # noqa: N815
    scopes: Annotated[list[Scope], Field(max_length=100, default_factory=list)]
    parameters: Annotated[
        dict[Short, Short],
        Field(max_length=32),
        Field(default_factory=dict),
        AfterValidator(_no_more),
        says(propertyNames={"not": {"enum": sorted(_OURS)}, "minLength": 1, "maxLength": 2000}),
    ]


@router.get("/v1/providers", response_model=ProviderList, summary="Providers", responses=refusals())
def list_providers(_caller: Operator) -> Answer:
    """List the providers, never their client secrets."""
    with reading() as session:
        found = session.exec(select(Provider).order_by(col(Provider.name))).all()
        return Answer({"providers": [_shown(provider) for provider in found]})


@router.get(
    f"/v1/providers/{NAMED}", response_model=ProviderBody, summary="A provider", responses=refusals("not_found")
)
def read_provider(name: str, _caller: Operator) -> Answer:
    """Show a provider, never its client secret."""
    with reading() as session:
        return Answer(_shown(_found(session, name)))


@router.put(
    f"/v1/providers/{NAMED}",
    response_model=ProviderBody,
    summary="Introduce a provider",
    responses=shows(201, "It is new.", ProviderBody) | refusals(*BODY),
    openapi_extra=takes(NewProviderBody, _EXAMPLE),
)
def put_provider(name: str, caller: Operator, raw: Annotated[bytes, Depends(body_within(small_limit))]) -> Answer:
    """Introduce a provider, or change it; runs that wait for it need not be told. The client secret is never shown again."""
    if not _NAME.fullmatch(name):
        raise invalid("name", "must have 1 to 64 letters, digits, dots, dashes and underscores")
    body = read_as(NewProviderBody, json_object(raw))
    with Session(engine(), expire_on_commit=False) as session:
        known = session.get(Provider, name, with_for_update=True)
        new: dict[str, Any] = {"name": name}
        provider = known or Provider(**new)
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
    summary="Forget a provider",
    responses=shows(204, "It is forgotten.") | refusals("not_found"),
)
def delete_provider(name: str, caller: Operator) -> Response:
    """Forget a provider. Grants that it gave stay, and are used until they would have to be renewed."""
    with Session(engine()) as session:
        session.delete(_found(session, name))
        session.commit()
    fact("provider.forgotten", provider=name, by=caller.key)
    return Response(status_code=204)


def _take_over(provider: Provider, body: NewProviderBody) -> None:
    provider.authorize_url, provider.token_url = body.authorizeUrl, body.tokenUrl
    provider.revocation_url, provider.client_id = body.revocationUrl, body.clientId
    provider.client_auth, provider.scopes = body.clientAuth, list(dict.fromkeys(body.scopes))
    provider.parameters = body.parameters
    if "clientSecret" in body.model_fields_set:
        secret = body.clientSecret
        place = provider_place(provider.name)
        provider.sealed_secret = None if secret is None else seal(settings().secret_key, secret, place)


def _found(session: Session, name: str) -> Provider:
    provider = session.get(Provider, name)
    if provider is None:
        raise Problem("not_found", "There is no provider of this name: see GET /v1/providers.")
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
        "createdAt": timestamp(provider.created_at),
        "updatedAt": timestamp(provider.updated_at),
    }
