"""POST /v1/runs/{runId}/resume: lets a run go on that stands still because its code no longer fits what it recorded."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.answers import Answer
from api.auth import Caller, may
from api.documented import refusals
from api.problems import Problem, run_not_found
from api.resources import Resources, resources
from api.runs.find import run_id
from api.runs.whole import read_whole
from api.shapes import RunBody
from api.transactions import transaction
from models import bus, events, moves, waits
from models.facts import fact
from models.lifecycle import TERMINAL, Reason

router = APIRouter(tags=["Runs"])


@router.post(
    "/v1/runs/{runId}/resume",
    response_model=RunBody,
    summary="Let a run go on whose code was mended",
    responses=refusals("run_not_found", "run_finished", "illegal_move"),
)
def resume_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """End a pause for `code_mismatch`: the run goes on from its recorded steps, on the code that is served by then."""
    run = run_id(runId)
    with transaction() as connection:
        # The run row first, the wait after it: see `models.waits`.
        stands = waits.knock(run, caller.tenant).one(connection)
        if stands is None:
            raise run_not_found()
        event = None
        if waits.resolve(run, "code", outcome="resumed", by=caller.name).one(connection):
            event = moves.resume(run, reason=Reason.BY_USER).one(connection)
        if event is None:
            raise _refusal(caller, stands)
    shared.bus.say(caller.tenant, events.public(event))
    shared.bus.wake(bus.PROMOTE, event["queue"])
    fact("run.resumed", run=run)
    return Answer(read_whole(caller.tenant, run))


def _refusal(caller: Caller, stands: dict[str, Any]) -> Problem:
    if stands["status"] in TERMINAL:
        run = read_whole(caller.tenant, stands["id"])
        return Problem(
            "run_finished", f"The run has ended as {run['status']}; nothing changes it now.", more={"run": run}
        )
    waits_for = f" and waits for {stands['reason']}" if stands["pause_kind"] else ""
    return Problem(
        "illegal_move",
        f"The run is {stands['status']}{waits_for}; only one that is paused for code_mismatch can be resumed.",
    )
