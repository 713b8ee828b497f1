"""A single run in full: with its input, its result and its newest steps."""

from typing import cast
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy import cast as as_type
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.http.problems import run_not_found
from api.http.responses import as_stored
from api.http.transactions import reading
from api.runs.steps import newest_steps
from api.runs.view import summaries
from api.shapes import RunBody
from api.streams.event_log import events_after
from models.tables.payload import Payload
from models.tables.run import Run

NEWEST_STEPS = 200


def detail(session: Session, caller: Caller, run: UUID, *, events: bool = False, outputs: bool = False) -> RunBody:
    """Return a run with everything that belongs to it, as the caller may see it; raises Problem `run_not_found`."""
    wanted = select(Run, as_type(col(Payload.input), Text), as_type(col(Payload.result), Text))
    joined = wanted.join(Payload, col(Payload.run_id) == col(Run.id)).where(Run.id == run, Run.tenant == caller.tenant)
    found = session.exec(joined).first()
    if found is None:
        raise run_not_found()
    row, input_, result = found
    body = {
        **summaries(session, [row], caller)[0],
        "input": as_stored(input_),
        "result": as_stored(result),
        "stepsFinished": newest_steps(session, run, NEWEST_STEPS, outputs=outputs) if row.step_count else [],
    }
    if events:
        body["events"] = events_after(session, caller, run, 0)
    return cast("RunBody", body)


def read_detail(caller: Caller, run: UUID, *, events: bool = False, outputs: bool = False) -> RunBody:
    """Return a run as detail() does, in a session of its own."""
    with reading() as session:
        return detail(session, caller, run, events=events, outputs=outputs)
