"""POST /v1/runs/{runId}/resume: resume a run that a user paused, or whose code no longer matches its recorded steps."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.openapi_responses import refusals
from api.http.problems import Problem, run_finished, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.find import parse_run_id
from api.shapes import RunBody
from models.lifecycle import TERMINAL
from models.operations import commands
from models.runs.announcing import announce
from models.runtime import bus
from models.runtime.facts import fact
from models.waiting.run_state import RunState

router = APIRouter(tags=["Runs"])


@router.post(
    "/v1/runs/{runId}/resume",
    response_model=RunBody,
    summary="Resume a paused run",
    responses=refusals("run_not_found", "run_finished", "illegal_move"),
)
def resume_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """End a pause by a user (also a recorded one), by the agent, or for `code_mismatch` after the code was fixed.

    A pause by the agent also ends while the run executes; the run then keeps its status. A parked run continues from its
    recorded steps, on the code that workers serve by then. This call decides nothing that the run waits for.
    """
    run = parse_run_id(runId)
    with transaction() as connection:
        done = commands.resume(connection, run, caller.tenant, by=caller.name)
        if done is None or done.run_state is None:
            raise run_not_found()
        if not done.did:
            raise _refusal(caller, done.run_state)
    announce(shared.bus, done.run_state, done.events)
    if done.asked:
        shared.bus.wake_up(bus.PROMOTE, done.run_state.queue)  # a held queued run may start; no event announces that
    fact("run.resumed", run=run)
    return Answer(read_detail(caller, run))


def _refusal(caller: Caller, run_state: RunState) -> Problem:
    if run_state.status in TERMINAL:
        return run_finished(read_detail(caller, run_state.id))
    waits_for = f" and waits for {run_state.reason}" if run_state.pause_kind else ""
    return Problem(
        "illegal_move",
        f"The run is {run_state.status}{waits_for}. Only a pause by a user, by its agent or for code_mismatch can be ended.",
    )
