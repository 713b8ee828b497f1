"""POST /v1/runs and POST /v1/runs/batch: accept runs, at most once for each idempotency key."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlmodel import col, select

from api.http.auth import Caller, may
from api.http.body import batch_limit, body_within, json_object, single_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.responses import Answer, as_stored
from api.http.transactions import reading
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.idempotency import Accepted, IdempotencyKey, find_earlier, keyed_request
from api.runs.new_run import read_batch, read_run
from api.runs.request_bodies import BatchBody, NewRunBody
from api.runs.store import store
from api.runs.view import summaries, summary_as_stored
from api.shapes import BatchOfRuns, RunBody, RunSummary
from models.tables.run import Run

router = APIRouter(tags=["Runs"])

_EXAMPLE = {
    "agent": "license_audit",
    "input": {},
    "metadata": {"team": "platform"},
    "tags": ["nightly"],
    "timeout": "PT15M",
}
_REFUSALS = refusals(*BODY, "idempotency_mismatch", "unknown_agent", "unknown_queue", "unknown_window", "invalid_input")


@router.post(
    "/v1/runs",
    status_code=201,
    response_model=RunBody,
    summary="Accept a run",
    responses=response(200, "An earlier, equal request created this run (`Idempotency-Replayed: true`).", RunBody)
    | _REFUSALS,
    openapi_extra=request_body(NewRunBody, _EXAMPLE),
)
def create_run(
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(single_limit))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: IdempotencyKey = None,
) -> Answer:
    """Store a run with status QUEUED. A run answered with 201 survives a crash of any process."""
    fields = json_object(raw)
    request = keyed_request(idempotency_key, "one", fields)
    if earlier := find_earlier(caller, request):
        return _run(caller, earlier)
    run = read_run(caller, fields, shared)
    return _run(caller, store(caller, request, [run], shared.bus))


def _run(caller: Caller, accepted: Accepted) -> Answer:
    if accepted.replayed:
        return accepted.answer(read_detail(caller, accepted.ids[0]))
    [made] = accepted.made
    shown: dict[str, Any] = {"input": as_stored(made.input), "result": None, "stepsFinished": []}
    return accepted.answer({**summary_as_stored(caller.tenant, made, accepted.at), **shown})


@router.post(
    "/v1/runs/batch",
    status_code=201,
    response_model=BatchOfRuns,
    summary="Accept several runs, all or none",
    responses=response(200, "An earlier, equal request created these runs.", BatchOfRuns) | _REFUSALS,
    openapi_extra=request_body(BatchBody, {"runs": [_EXAMPLE, _EXAMPLE]}),
)
def create_batch(
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(batch_limit))],
    shared: Annotated[Resources, Depends(resources)],
    idempotency_key: IdempotencyKey = None,
) -> Answer:
    """Store up to 1,000 runs in one transaction. Each is a body of POST /v1/runs."""
    fields = json_object(raw)
    request = keyed_request(idempotency_key, "batch", fields)
    if earlier := find_earlier(caller, request):
        return _batch(caller, earlier)
    runs = read_batch(caller, fields, shared)
    return _batch(caller, store(caller, request, runs, shared.bus))


def _batch(caller: Caller, accepted: Accepted) -> Answer:
    if accepted.replayed:
        return accepted.answer({"runs": _in_order(caller, accepted.ids)})
    return accepted.answer({"runs": [summary_as_stored(caller.tenant, made, accepted.at) for made in accepted.made]})


def _in_order(caller: Caller, ids: Sequence[UUID]) -> list[RunSummary]:
    wanted = select(Run).where(col(Run.id).in_(ids), Run.tenant == caller.tenant)
    with reading() as session:
        found = {run.id: run for run in session.exec(wanted)}
        return summaries(session, [found[run] for run in ids if run in found], caller)
