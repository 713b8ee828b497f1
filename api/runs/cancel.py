"""DELETE /v1/runs/{runId} and POST …/cancel: abort a run, immediately or through the worker that executes it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.parsing import read_as
from api.http.path_names import RUN
from api.http.problems import Problem, run_finished
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.find import parse_run_id
from api.runs.request_bodies import CancelBody
from api.shapes import RunBody
from models.lifecycle import TERMINAL
from models.operations import commands
from models.operations.commands import CommandResult
from models.runs import public_event
from models.runtime import bus
from models.runtime.facts import fact

router = APIRouter(tags=["Runs"])

# An attempt fails only if a claim or an end of the same run was committed between two statements.
_TRIES = 10
_RESPONSES = response(202, "Requested from the worker that executes the run.", RunBody)


@dataclass(frozen=True, slots=True)
class _CancelRequest:
    caller: Caller
    run: UUID
    comment: str | None
    grace_ms: int


@router.delete(
    f"/v1/runs/{RUN}",
    response_model=RunBody,
    summary="Abort a run",
    responses=_RESPONSES | refusals("run_not_found", "run_finished"),
)
def delete_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Cancel a run that has not ended. This call never deletes history."""
    return _cancel(_CancelRequest(caller, parse_run_id(runId), None, _default_grace(shared)), shared)


@router.post(
    "/v1/runs/{runId}/cancel",
    response_model=RunBody,
    summary="Abort a run, with options",
    responses=_RESPONSES | refusals(*BODY, "run_not_found", "run_finished"),
    openapi_extra=request_body(CancelBody, {"reason": "ordered twice", "grace": "PT10S"}, required=False),
)
def cancel_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Cancel a run that has not ended, with a reason and a time for its code to end by itself."""
    body = read_as(CancelBody, json_object(raw) if raw else {})
    grace = _default_grace(shared) if body.grace is None else body.grace
    return _cancel(_CancelRequest(caller, parse_run_id(runId), body.reason, grace), shared)


def _default_grace(shared: Resources) -> int:
    return round(shared.settings.cancel_grace_seconds * 1000)


def _cancel(request: _CancelRequest, shared: Resources) -> Answer:
    for _ in range(_TRIES):
        with transaction() as connection:
            done = commands.cancel(
                connection,
                request.run,
                request.caller.tenant,
                by=request.caller.name,
                comment=request.comment,
                grace_ms=request.grace_ms,
            )
        if done.did:
            _publish(request, done, shared)
            return Answer(read_detail(request.caller, request.run), 202 if done.asked else 200)
        run = read_detail(request.caller, request.run)
        if run["status"] in TERMINAL:
            raise run_finished(run)
    raise Problem("unavailable", "The run changes too quickly to be cancelled now. Try again.")


def _publish(request: _CancelRequest, done: CommandResult, shared: Resources) -> None:
    for event in done.events:
        shared.bus.publish_event(request.caller.tenant, public_event.public(event))
        shared.bus.wake_up(bus.PROMOTE, event.queue)
        fact("run.canceled", run=request.run)
    if done.asked:
        shared.bus.wake_up(bus.worker_channel(done.worker))
        fact("run.cancel_requested", run=request.run, worker=done.worker, epoch=done.asked.epoch)
