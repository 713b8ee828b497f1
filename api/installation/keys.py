"""GET, POST and DELETE /v1/keys: the API keys of the caller's own tenant.

A key can only give scopes that it has. These are read from the database, in the transaction that makes or revokes the other
key: with the cached scopes, up to five seconds old, a revoked key could leave a new one behind.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import Row
from starlette.responses import Response

from api.http.auth import Caller, forget_keys, invalid_key, may
from api.http.body import body_within, json_object, small_limit
from api.http.fields import Text, schema_keywords
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import Body, read_as
from api.http.problems import Problem
from api.http.responses import Answer
from api.keys import store
from api.shapes import KeyBody, KeyList, NewKeyAnswer
from models.runs.public_event import timestamp
from models.runtime.engine import engine
from models.runtime.facts import fact
from models.tables.api_key import ApiKey

router = APIRouter(tags=["Keys"])

Admin = Annotated[Caller, Depends(may("admin"))]


Printed = Annotated[Text, Field(min_length=1, max_length=128), schema_keywords(format="printable")]


class NewKeyBody(Body):
    """A request to make an API key."""

    name: Annotated[Printed, Field(description="A name for people.")]
    scopes: Annotated[
        list[Annotated[Text, schema_keywords(enum=list(store.SCOPES))]],
        Field(
            min_length=1,
            max_length=16,
            description=f"Of {', '.join(store.SCOPES)}; the calling key must have each of them.",
        ),
    ]
    roles: Annotated[list[Printed], Field(max_length=32)] | None = None


@router.get("/v1/keys", response_model=KeyList, summary="API keys", responses=refusals())
def list_keys(caller: Admin) -> Answer:
    """List the tenant's keys, also revoked ones; never their secrets."""
    return Answer({"keys": [_shown(key) for key in store.list_keys(caller.tenant)]})


@router.post(
    "/v1/keys",
    status_code=201,
    response_model=NewKeyAnswer,
    summary="Make an API key",
    responses=refusals(*BODY),
    openapi_extra=request_body(NewKeyBody, {"name": "backend", "scopes": ["enqueue", "read"]}),
)
def create_key(caller: Admin, raw: Annotated[bytes, Depends(body_within(small_limit))]) -> Answer:
    """Make a key for the caller's tenant; only this answer shows its secret.

    Its scopes must be scopes of the calling key. Roles are names that the tenant's admin chooses.
    """
    body = read_as(NewKeyBody, json_object(raw))
    new = (caller.tenant, body.name, body.scopes, body.roles or [])
    try:
        store.check(*new)
    except ValueError as error:
        raise Problem("invalid_request", str(error)) from None
    with engine().begin() as connection:
        _check_gives(_giver(store.lock(connection, caller.key), caller), body.scopes)
        made = store.add(connection, *new)
    fact("key.created", key=made.id, by=caller.key)
    key = next(key for key in store.list_keys(caller.tenant) if key.id == made.id)
    return Answer({**_shown(key), "key": made.secret}, 201)


@router.delete(
    "/v1/keys/{keyId}",
    status_code=204,
    response_model=None,
    summary="Revoke an API key",
    responses=response(204, "It is revoked.") | refusals("not_found"),
)
def delete_key(keyId: str, caller: Admin) -> Response:  # noqa: N803  as the API spells it
    """Revoke a key for good: in this process immediately, in others within 5 s. A key with `operate` needs one with it."""
    try:
        key = UUID(keyId)
    except ValueError:
        key = UUID(int=0)
    with engine().begin() as connection:
        valid = store.lock(connection, caller.key, key)
        giver = _giver(valid, caller)
        if key not in valid or valid[key].tenant != caller.tenant:
            raise Problem("not_found", "There is no valid key with this id.")
        if "operate" in valid[key].scopes and "operate" not in giver.scopes:
            detail = "That key has operate, the right over the installation. Only a key with operate, or the shell, revokes it."
            raise Problem("forbidden", detail)
        store.revoke_in(connection, key)
    forget_keys()
    fact("key.revoked", key=key, by=caller.key)
    return Response(status_code=204)


def _giver(valid: Mapping[UUID, Row[Any]], caller: Caller) -> Row[Any]:
    """Return the calling key as it is now; raises Problem `unauthenticated` or `forbidden`."""
    giver = valid.get(caller.key)
    if giver is None:
        forget_keys()
        raise invalid_key()
    if "admin" not in giver.scopes:
        raise Problem("forbidden", "This call needs an API key with the scope admin.")
    return giver


def _check_gives(giver: Row[Any], scopes: Sequence[str]) -> None:
    if surplus := [scope for scope in dict.fromkeys(scopes) if scope not in giver.scopes]:
        own = [scope for scope in store.SCOPES if scope in giver.scopes]
        detail = (
            f"A key can only give scopes that it has: this one may give {', '.join(own)}, not {', '.join(surplus)}."
        )
        raise Problem("forbidden", detail)


def _shown(key: ApiKey) -> KeyBody:
    return {
        "id": str(key.id),
        "tenant": key.tenant,
        "name": key.name,
        "scopes": key.scopes,
        "roles": key.roles,
        "createdAt": timestamp(key.created_at),
        "revokedAt": timestamp(key.revoked_at),
    }
