"""POST /v1/runs/{runId}/pause: pause a run that has not ended, until a user resumes it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import read_as
from api.http.problems import run_finished, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.find import parse_run_id
from api.runs.request_bodies import PauseRequest
from api.shapes import RunBody
from models.lifecycle import TERMINAL, Status
from models.operations import commands
from models.runs import public_event
from models.runtime import bus
from models.runtime.facts import fact
from models.waiting.run_state import RunState

router = APIRouter(tags=["Runs"])
_RECORDED = "Recorded: the run pauses at its next step, or when what it waits for arrives."


@router.post(
    "/v1/runs/{runId}/pause",
    response_model=RunBody,
    summary="Pause a run",
    responses=response(202, _RECORDED, RunBody) | refusals(*BODY, "run_not_found", "run_finished"),
    openapi_extra=request_body(PauseRequest, {"reason": "prices are being checked"}, required=False),
)
def pause_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Pause a run that has not ended. Its progress is kept and its active time does not count on.

    A queued run is held from now on. A started run that no worker executes pauses immediately. Repeating the call changes
    nothing.
    """
    body = read_as(PauseRequest, json_object(raw) if raw else {})
    run = parse_run_id(runId)
    with transaction() as connection:
        done = commands.pause(connection, run, caller.tenant, by=caller.name, comment=body.reason)
    if done is None or done.run_state is None:
        raise run_not_found()
    if done.run_state.status in TERMINAL:
        raise run_finished(read_detail(caller, run))
    for event in done.events:
        shared.bus.publish_event(caller.tenant, public_event.public(event))
        fact("run.paused", run=run)
    if done.asked and done.worker:
        shared.bus.wake_up(bus.worker_channel(done.worker))
        fact("run.pause_requested", run=run, worker=done.worker, epoch=done.asked.epoch)
    return Answer(read_detail(caller, run), 202 if _pauses_later(done.run_state) else 200)


def _pauses_later(run_state: RunState) -> bool:
    parked = run_state.status in (Status.AUTH_REQUIRED, Status.PAUSED) and run_state.pause_kind != "user"
    return bool(run_state.lease_worker) or parked
