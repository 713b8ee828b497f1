"""GET /v1/runs/{runId}/wait: answers when the run ends or parks, or after a timeout."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool

from api.http.auth import Caller, invalid_key, may
from api.http.fair_use import without_turn
from api.http.openapi_responses import refusals, response
from api.http.responses import Answer
from api.http.transactions import reading
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.find import find_run, parse_run_id
from api.shapes import RunBody
from models.lifecycle import Status

router = APIRouter(tags=["Runs"])

_OPEN = (Status.QUEUED, Status.RUNNING)


@router.get(
    "/v1/runs/{runId}/wait",
    response_model=RunBody,
    summary="Wait for a run",
    responses=response(202, "The run has neither ended nor parked yet. Call again.", RunBody)
    | refusals("invalid_request", "run_not_found"),
)
async def wait_for_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("read"))],
    shared: Annotated[Resources, Depends(resources)],
    timeout: Annotated[int, Query(ge=1, le=25, description="Seconds.")] = 25,  # noqa: ASYNC109  it is the client's
) -> Answer:
    """Wait for a run to end or park: 200 if it does, else 202 with its current state."""
    run = parse_run_id(runId)
    deadline = time.monotonic() + timeout
    seq, under_way = await run_in_threadpool(_progress, caller.tenant, run)
    if under_way:
        async with shared.hub.mailbox(run, seq, caller) as box:
            while under_way and not box.closed and time.monotonic() < deadline:
                async with without_turn():
                    news = await box.take(deadline - time.monotonic())
                if news:
                    _, under_way = await run_in_threadpool(_progress, caller.tenant, run)
        if box.revoked:
            raise invalid_key()
    shown = await run_in_threadpool(read_detail, caller, run)
    return Answer(shown, 202 if shown["status"] in _OPEN else 200)


def _progress(tenant: str, run: UUID) -> tuple[int, bool]:
    with reading() as session:
        row = find_run(session, tenant, run)
        return row.seq, row.status in _OPEN
