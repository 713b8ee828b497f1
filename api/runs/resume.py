"""POST /v1/runs/{runId}/resume: lets a run go on that a user paused, or whose code no longer fits what it recorded."""

from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Depends

from api.answers import Answer
from api.auth import Caller, may
from api.documented import refusals
from api.problems import Problem, run_finished, run_not_found
from api.resources import Resources, resources
from api.runs.find import run_id
from api.runs.whole import read_whole
from api.shapes import RunBody
from api.transactions import transaction
from models import bus, control, events, moves, waits
from models.database import Row
from models.facts import fact
from models.lifecycle import TERMINAL, Reason

router = APIRouter(tags=["Runs"])


@router.post(
    "/v1/runs/{runId}/resume",
    response_model=RunBody,
    summary="Let a paused run go on",
    responses=refusals("run_not_found", "run_finished", "illegal_move"),
)
def resume_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """End a user's pause, one that is only recorded too, the agent's own, or one for `code_mismatch`, once the code was mended.

    The run goes on from its recorded steps, on the code that is served by then. What it waits for is not decided here.
    """
    run = run_id(runId)
    with transaction() as connection:
        # The run row first, the wait after it: see `models.waits`.
        stands = waits.knock(run, caller.tenant).one(connection)
        if stands is None:
            raise run_not_found()
        taken_back = control.take_pause_back(run).one(connection)
        moved = _go_on(connection, stands, caller.name)
        if not moved and taken_back is None:
            raise _refusal(caller, stands)
    for event in moved:
        shared.bus.say(caller.tenant, events.public(event))
    shared.bus.wake(bus.PROMOTE, stands["queue"])
    fact("run.resumed", run=run)
    return Answer(read_whole(caller, run))


def _go_on(connection: psycopg.Connection[Any], stands: Row, by: str) -> list[Row]:
    """Make the run ready if nothing but a user, its agent's own pause or its code held it back; gives the events."""
    if stands["pause_kind"] == "user":
        event = moves.resume(stands["id"], reason=Reason.BY_USER, by=by).one(connection)
        return [event] if event else []
    over = waits.resolve(stands["id"], ("code", "user"), outcome="resumed", by=by).all(connection)
    return waits.wake(connection, stands, over, reason=Reason.BY_USER, by=by)


def _refusal(caller: Caller, stands: dict[str, Any]) -> Problem:
    if stands["status"] in TERMINAL:
        return run_finished(read_whole(caller, stands["id"]))
    waits_for = f" and waits for {stands['reason']}" if stands["pause_kind"] else ""
    return Problem(
        "illegal_move",
        f"The run is {stands['status']}{waits_for}; only a pause by a user, by its agent or for code_mismatch can be ended.",
    )
