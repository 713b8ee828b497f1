"""Parts of events that are added on delivery and never stored: links, and the input that a start approval shows.

Only callers that may decide, and the key that created the run, get a link. The bus never gets one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Text, and_
from sqlalchemy import cast as as_type
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.http.responses import as_stored
from api.links.addresses import link
from api.links.rights import may_have_link
from models.tables.payload import Payload
from models.tables.run import Run
from models.tables.wait import Wait
from models.waiting.questions import START

JOINED_BYTES = 64 << 10
"""Size limit in bytes of an input or result in an event; a larger one is left out, and the event says so."""
_ASKS = ("run_approval", "authentication")


def is_question(event: Mapping[str, Any]) -> bool:
    """Return whether a public event asks people for something; the outcome of an authorization does not."""
    return event["event"] in _ASKS and "waitId" in event and "outcome" not in event


def add_links_and_input(session: Session, events: Sequence[tuple[Caller, dict[str, Any]]]) -> None:
    """Add to each of these events the link and the input that its caller may see."""
    questions = [(caller, event) for caller, event in events if is_question(event)]
    if not questions:
        return
    found = _waits(session, {UUID(event["waitId"]) for _, event in questions})
    for caller, event in questions:
        if event["waitId"] not in found:  # its run was deleted since, or the hint is of another installation
            continue
        wait, run, input_ = found[event["waitId"]]
        if wait.key == START:
            event.update(_start(run, input_))
        if wait.nonce and may_have_link(caller, wait.request.get("approvers"), run.created_by):
            event.update(link(wait.kind, wait.id, wait.nonce, wait.request.get("url")))


def _waits(session: Session, ids: set[UUID]) -> dict[str, tuple[Wait, Run, str | None]]:
    about_start = and_(col(Payload.run_id) == col(Wait.run_id), col(Wait.key) == START)
    wanted: Any = select(Wait, Run, as_type(col(Payload.input), Text))
    wanted = wanted.join(Run, col(Run.id) == col(Wait.run_id)).outerjoin(Payload, about_start)
    rows = session.exec(wanted.where(col(Wait.id).in_(ids))).all()
    return {str(wait.id): cast("Any", (wait, run, input_)) for wait, run, input_ in rows}


def _start(run: Run, input_: str | None) -> dict[str, Any]:
    if input_ is None or len(input_.encode()) > JOINED_BYTES:
        return {"details": {"agent": run.agent}, "inputOmitted": True}
    return {"details": {"agent": run.agent, "input": as_stored(input_)}}
