"""POST /v1/runs/{runId}/pause: lets a run stand still until somebody resumes it, whatever it does at the moment."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, shows, takes
from api.http.parsing import read_as
from api.http.problems import run_finished, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.detail import read_whole
from api.runs.envelope import PauseRequest
from api.runs.find import run_id
from api.shapes import RunBody
from models.lifecycle import TERMINAL, Status
from models.operations import commands
from models.runs import public_event
from models.runtime import bus
from models.runtime.facts import fact
from models.waiting.run_state import RunState

router = APIRouter(tags=["Runs"])
_RECORDED = "Recorded: it pauses at the edge of its next step, or when what it waits for has come."


@router.post(
    "/v1/runs/{runId}/pause",
    response_model=RunBody,
    summary="Pause a run",
    responses=shows(202, _RECORDED, RunBody) | refusals(*BODY, "run_not_found", "run_finished"),
    openapi_extra=takes(PauseRequest, {"reason": "prices are being checked"}, required=False),
)
def pause_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Pause any run that has not ended; its progress is kept and its active time stands still.

    A queued run is held from now on, a started one that no worker executes is paused at once. Asking again changes nothing.
    """
    body = read_as(PauseRequest, json_object(raw) if raw else {})
    run = run_id(runId)
    with transaction() as connection:
        done = commands.pause(connection, run, caller.tenant, by=caller.name, comment=body.reason)
    if done is None or done.run_state is None:
        raise run_not_found()
    if done.run_state.status in TERMINAL:
        raise run_finished(read_whole(caller, run))
    for event in done.events:
        shared.bus.publish_event(caller.tenant, public_event.public(event))
        fact("run.paused", run=run)
    if done.asked and done.worker:
        shared.bus.wake_up(bus.worker_channel(done.worker))
        fact("run.pause_requested", run=run, worker=done.worker, epoch=done.asked.epoch)
    return Answer(read_whole(caller, run), 202 if _is_to_come(done.run_state) else 200)


def _is_to_come(run_state: RunState) -> bool:
    parked = run_state.status in (Status.AUTH_REQUIRED, Status.PAUSED) and run_state.pause_kind != "user"
    return bool(run_state.lease_worker) or parked
