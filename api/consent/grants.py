"""GET /v1/grants and DELETE /v1/grants/{id}: lists and revokes what people have authorized."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar
from starlette.responses import Response

from api.consent.outcome import provider_row
from api.http.auth import Caller, may
from api.http.cursors import invalid_cursor, read_cursor, write_cursor
from api.http.openapi_responses import refusals, response
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import reading, transaction
from api.resources import Resources, resources
from api.shapes import GrantBody, GrantPage
from models.authorization import grants, oauth_client
from models.authorization.givers import Giver
from models.authorization.grants import Holder
from models.authorization.oauth_client import Speaker
from models.errors import ProviderAway, ProviderRefused, SealBroken
from models.runs.public_event import timestamp
from models.runtime.facts import fact
from models.runtime.settings import settings
from models.tables.grant import Grant

router = APIRouter(tags=["People"])


@router.get(
    "/v1/grants",
    response_model=GrantPage,
    summary="Grants",
    responses=refusals("invalid_request", "invalid_cursor"),
)
async def list_grants(
    caller: Annotated[Caller, Depends(may("read"))],
    shared: Annotated[Resources, Depends(resources)],
    *,
    provider: Annotated[str | None, Query(max_length=200)] = None,
    subject: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    """List what people have authorized in this tenant, newest first, revoked grants too; never a token."""
    wanted = select(Grant).where(col(Grant.tenant) == caller.tenant).order_by(col(Grant.id).desc()).limit(limit + 1)
    if provider is not None:
        wanted = wanted.where(col(Grant.provider) == provider)
    if subject is not None:
        wanted = wanted.where(col(Grant.subject) == subject)
    if cursor is not None:
        wanted = wanted.where(col(Grant.id) < _below(cursor))
    return await shared.fair_use.search(caller, lambda: _list(wanted, limit))


def _list(wanted: SelectOfScalar[Grant], limit: int) -> Answer:
    with reading() as session:
        found = session.exec(wanted).all()
    more = write_cursor("grants", found[limit - 1].id.hex) if len(found) > limit else None
    return Answer({"grants": [_shown(grant) for grant in found[:limit]], "nextCursor": more})


@router.delete(
    "/v1/grants/{grantId}",
    status_code=204,
    response_model=None,
    summary="Revoke a grant",
    responses=response(204, "It is revoked.") | refusals("not_found"),
)
def revoke_grant(grantId: str, caller: Annotated[Caller, Depends(may("decide"))]) -> Response:  # noqa: N803  as the API spells it
    """Revoke a grant: its tokens are deleted here, and revoked at the provider if it is reachable and still the giver.

    A run that needs the grant waits for a new authorization when one of its steps asks for the token.
    """
    try:
        grant = UUID(grantId)
    except ValueError:
        raise _unknown() from None
    with transaction() as connection:
        row = grants.take(grant, caller.tenant).one(connection)
        if row is None or row.revoked_at is not None:
            raise _unknown()
        holder = Holder(caller.tenant, row.subject, row.provider)
        grants.lose(holder).one(connection)
    fact("grant.revoked", grant=grant, provider=holder.provider, by=caller.key)
    _tell_provider(holder, row.sealed, row.giver)
    return Response(status_code=204)


def _tell_provider(holder: Holder, sealed: str, giver: Giver) -> None:
    """Revoke the tokens at the provider too, because others may have copies; tokens are sent only to their giver."""
    row = provider_row(holder.provider)
    if row is None or not row.giver.hears_of(giver):
        return
    try:
        tokens, speaker = (
            oauth_client.opened(settings().secret_key, holder, sealed),
            Speaker.of(row, settings().secret_key),
        )
        if tokens.refresh:
            speaker.revoke(tokens.refresh, "refresh_token")
        speaker.revoke(tokens.access, "access_token")
    except (ProviderAway, ProviderRefused, SealBroken) as error:
        fact("grant.provider_not_told", level="warning", provider=holder.provider, why=error)


def _unknown() -> Problem:
    return Problem("not_found", "There is no valid grant with this id: see GET /v1/grants.")


def _below(cursor: str) -> UUID:
    try:
        return UUID(hex=read_cursor("grants", cursor))
    except ValueError:
        raise invalid_cursor() from None


def _shown(grant: Grant) -> GrantBody:
    return {
        "id": str(grant.id),
        "provider": grant.provider,
        "subject": grant.subject,
        "scopes": grant.scopes,
        "refreshable": grant.refreshable and grant.revoked_at is None,
        "expiresAt": timestamp(grant.expires_at),
        "createdAt": timestamp(grant.created_at),
        "refreshedAt": timestamp(grant.refreshed_at),
        "revokedAt": timestamp(grant.revoked_at),
    }
