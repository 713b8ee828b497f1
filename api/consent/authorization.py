"""Authorizations behind links: what a person is asked to authorize, and the outcome."""

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

_UNKNOWN = "This link is not known. Check that it was copied completely; it may also belong to another installation."


@dataclass(frozen=True, slots=True)
class Authorization:
    """A wait for an authorization, with its run. `late`: its time is over. `now`: the database's clock, in seconds."""

    wait: Wait
    run: Run
    late: bool
    now: float

    @property
    def asked(self) -> dict[str, Any]:
        """The agent's request."""
        return cast("dict[str, Any]", self.wait.request)

    @property
    def holder(self) -> Holder:
        """The holder of the grant: tenant, subject and provider."""
        return Holder(self.wait.tenant, self.asked["subject"], self.asked["provider"])

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the run needs."""
        return tuple(self.asked.get("scopes") or ())

    @property
    def url(self) -> str | None:
        """The address of the other system that performs it, if any."""
        return self.asked.get("url")

    @property
    def link(self) -> str:
        """The link that starts it."""
        return authorization_link(self.wait.id, self.wait.nonce or "", self.url)

    @property
    def closed(self) -> bool:
        """Whether it is too late to authorize."""
        return self.late or self.wait.resolved_at is not None


def find(wait: UUID) -> Authorization | None:
    """Read an authorization by the id of its wait; None if it does not exist."""
    late: ColumnElement[bool] = func.coalesce(col(Wait.due_at) <= func.now(), False)
    wanted: Any = select(Wait, Run, late, extract("epoch", func.now())).join(Run, col(Run.id) == col(Wait.run_id))
    with reading() as session:
        found = session.exec(wanted.where(col(Wait.id) == wait, col(Wait.kind) == "authorization")).first()
    return Authorization(found[0], found[1], found[2], float(found[3])) if found else None


def opened_by(wait: str, token: str) -> Authorization:
    """Return the authorization of a link, open or closed; raises Problem `token_unknown`."""
    try:
        found = find(UUID(wait))
    except ValueError:
        found = None
    if found is None or not is_genuine(token, Purpose.AUTHORIZATION, found.wait.id, found.wait.nonce):
        raise unknown()
    return found


def unknown() -> Problem:
    """Return the problem of a link or a state that this installation did not make."""
    return Problem("token_unknown", _UNKNOWN)


def check_open(found: Authorization) -> None:
    """Raise Problem `token_used` or `token_expired` with the outcome if it is closed."""
    if not found.closed:
        return
    more = {"outcome": found.wait.outcome, "runId": str(found.run.id), "runStatus": found.run.status}
    if given_up(found.wait, found.run):
        raise Problem("token_used", GIVEN_UP, more=more)
    if found.wait.outcome == "withdrawn":
        raise Problem(
            "token_used", f"The run has ended as {found.run.status}; it no longer needs an authorization.", more=more
        )
    if found.wait.outcome in (None, "timeout"):
        raise Problem("token_expired", "The time to authorize is over.", more=more)
    raise Problem("token_used", f"This was {found.wait.outcome} at {timestamp(found.wait.resolved_at)}.", more=more)


def shown(found: Authorization, missing: tuple[str, ...] = ()) -> AuthorizationBody:
    """Return an authorization as the API shows it, with its outcome."""
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
