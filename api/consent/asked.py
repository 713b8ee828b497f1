"""Reads what a link asks a person to authorize, and says what became of it."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, extract, func
from sqlmodel import col, select

from api.http.problems import Problem
from api.http.transactions import reading
from api.links.addresses import authorization_link
from api.links.tokens import Purpose, is_genuine
from api.people.decide import GIVEN_UP
from api.people.question import given_up
from api.shapes import AuthorizationBody
from models.authorization.grants import Holder
from models.runs.public_event import timestamp
from models.tables.run import Run
from models.tables.wait import Wait

_UNKNOWN = "This link is not known. Check that it was copied whole; it may also belong to another installation."


@dataclass(frozen=True, slots=True)
class Authorization:
    """A wait for an authorization, with its run. `late`: its time is over. `now` is the database's clock, in seconds."""

    wait: Wait
    run: Run
    late: bool
    now: float

    @property
    def asked(self) -> dict[str, Any]:
        """What the agent asked for."""
        return cast("dict[str, Any]", self.wait.request)

    @property
    def holder(self) -> Holder:
        """Whose grant it is, and at which provider."""
        return Holder(self.wait.tenant, self.asked["subject"], self.asked["provider"])

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the run needs."""
        return tuple(self.asked.get("scopes") or ())

    @property
    def url(self) -> str | None:
        """Where another system carries it out."""
        return self.asked.get("url")

    @property
    def link(self) -> str:
        """The link that begins it."""
        return authorization_link(self.wait.id, self.wait.nonce or "", self.url)

    @property
    def closed(self) -> bool:
        """Whether nobody may authorize any more."""
        return self.late or self.wait.resolved_at is not None


def find(wait: UUID) -> Authorization | None:
    """Read the authorization that this wait is; None when there is none."""
    late: ColumnElement[bool] = func.coalesce(col(Wait.due_at) <= func.now(), False)
    wanted: Any = select(Wait, Run, late, extract("epoch", func.now())).join(Run, col(Run.id) == col(Wait.run_id))
    with reading() as session:
        found = session.exec(wanted.where(col(Wait.id) == wait, col(Wait.kind) == "authorization")).first()
    return Authorization(found[0], found[1], found[2], float(found[3])) if found else None


def opened_by(wait: str, token: str) -> Authorization:
    """Give the authorization that a link opens, also when it is over; raises Problem `token_unknown`."""
    try:
        found = find(UUID(wait))
    except ValueError:
        found = None
    if found is None or not is_genuine(token, Purpose.AUTHORIZATION, found.wait.id, found.wait.nonce):
        raise unknown()
    return found


def unknown() -> Problem:
    """Say that a link, or what a provider sent back, is none of ours."""
    return Problem("token_unknown", _UNKNOWN)


def check_open(found: Authorization) -> None:
    """Raise Problem `token_used` or `token_expired` when it is over, and say how."""
    if not found.closed:
        return
    more = {"outcome": found.wait.outcome, "runId": str(found.run.id), "runStatus": found.run.status}
    if given_up(found.wait, found.run):
        raise Problem("token_used", f"{GIVEN_UP} Nobody needs to authorize any more.", more=more)
    if found.wait.outcome == "withdrawn":
        raise Problem(
            "token_used", f"The run has ended as {found.run.status}; it needs no authorization any more.", more=more
        )
    if found.wait.outcome in (None, "timeout"):
        raise Problem("token_expired", "The time to authorize is over.", more=more)
    raise Problem("token_used", f"This was {found.wait.outcome} at {timestamp(found.wait.resolved_at)}.", more=more)


def shown(found: Authorization, missing: tuple[str, ...] = ()) -> AuthorizationBody:
    """Show what was asked, and what came of it."""
    return {
        "waitId": str(found.wait.id),
        "runId": str(found.run.id),
        "runStatus": cast("Any", found.run.status),
        "agent": found.run.agent,
        "provider": found.holder.provider,
        "subject": found.holder.subject,
        "scopes": list(found.scopes),
        "missingScopes": list(missing),
        "openedAt": timestamp(found.wait.opened_at),
        "expiresAt": timestamp(found.wait.due_at),
        "outcome": found.wait.outcome,
    }
