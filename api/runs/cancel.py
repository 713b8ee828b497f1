"""DELETE /v1/runs/{runId} and POST …/cancel: abort a run, at once or through the worker that executes it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, shows, takes
from api.http.parsing import read_as
from api.http.path_names import RUN
from api.http.problems import Problem, run_finished
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.runs.detail import read_whole
from api.runs.envelope import CancelBody
from api.runs.find import run_id
from api.shapes import RunBody
from models.lifecycle import TERMINAL
from models.operations import commands
from models.operations.commands import CommandResult
from models.runs import public_event
from models.runtime import bus
from models.runtime.facts import fact

router = APIRouter(tags=["Runs"])

# Each try loses only to a claim or an end of the same run that was committed between two statements.
_TRIES = 10
_ANSWERS = shows(202, "Asked of the worker that executes it.", RunBody)


@dataclass(frozen=True, slots=True)
class _Wish:
    caller: Caller
    run: UUID
    comment: str | None
    grace_ms: int


@router.delete(
    f"/v1/runs/{RUN}",
    response_model=RunBody,
    summary="Abort a run",
    responses=_ANSWERS | refusals("run_not_found", "run_finished"),
)
def delete_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Cancel a run that has not ended. History is never deleted by this call."""
    return _cancel(_Wish(caller, run_id(runId), None, _default_grace(shared)), shared)


@router.post(
    "/v1/runs/{runId}/cancel",
    response_model=RunBody,
    summary="Abort a run, with options",
    responses=_ANSWERS | refusals(*BODY, "run_not_found", "run_finished"),
    openapi_extra=takes(CancelBody, {"reason": "ordered twice", "grace": "PT10S"}, required=False),
)
def cancel_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Cancel a run that has not ended, saying why and how long its code may take to end by itself."""
    body = read_as(CancelBody, json_object(raw) if raw else {})
    grace = _default_grace(shared) if body.grace is None else body.grace
    return _cancel(_Wish(caller, run_id(runId), body.reason, grace), shared)


def _default_grace(shared: Resources) -> int:
    return round(shared.settings.cancel_grace_seconds * 1000)


def _cancel(wish: _Wish, shared: Resources) -> Answer:
    for _ in range(_TRIES):
        with transaction() as connection:
            done = commands.cancel(
                connection,
                wish.run,
                wish.caller.tenant,
                by=wish.caller.name,
                comment=wish.comment,
                grace_ms=wish.grace_ms,
            )
        if done.did:
            _tell(wish, done, shared)
            return Answer(read_whole(wish.caller, wish.run), 202 if done.asked else 200)
        run = read_whole(wish.caller, wish.run)
        if run["status"] in TERMINAL:
            raise run_finished(run)
    raise Problem("unavailable", "The run changes hands too quickly to be cancelled. Try again.")


def _tell(wish: _Wish, done: CommandResult, shared: Resources) -> None:
    for event in done.events:
        shared.bus.publish_event(wish.caller.tenant, public_event.public(event))
        shared.bus.wake_up(bus.PROMOTE, event.queue)
        fact("run.canceled", run=wish.run)
    if done.asked:
        shared.bus.wake_up(bus.worker_channel(done.worker))
        fact("run.cancel_requested", run=wish.run, worker=done.worker, epoch=done.asked.epoch)
