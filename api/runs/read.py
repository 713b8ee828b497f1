"""GET /v1/runs/{runId} and the lists below it: steps, events, logs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http.auth import Caller, may
from api.http.cursors import read_number, write_cursor
from api.http.openapi_responses import refusals
from api.http.path_names import RUN
from api.http.responses import Answer
from api.http.transactions import reading
from api.runs.detail import read_detail
from api.runs.find import find_run, parse_run_id
from api.runs.steps import steps_after
from api.shapes import EventPage, LogPage, RunBody, StepPage
from api.streams.event_log import events_after, log_after

router = APIRouter(tags=["Runs"])

Reader = Annotated[Caller, Depends(may("read"))]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]
_PAGES = refusals("invalid_request", "invalid_cursor", "run_not_found")


@router.get(
    f"/v1/runs/{RUN}",
    response_model=RunBody,
    summary="Read a run",
    responses=refusals("invalid_request", "run_not_found"),
)
def read_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Reader,
    events: Annotated[bool, Query(alias="includeEvents")] = False,
    outputs: Annotated[bool, Query(alias="includeOutputs")] = False,
) -> Answer:
    """Return the run with its newest 200 steps; on request with its events and the outputs of its steps."""
    return Answer(read_detail(caller, parse_run_id(runId), events=events, outputs=outputs))


@router.get("/v1/runs/{runId}/steps", response_model=StepPage, summary="Finished steps of a run", responses=_PAGES)
def read_steps(
    runId: str,  # noqa: N803  as the API spells it
    caller: Reader,
    limit: Limit = 200,
    cursor: Cursor = None,
    outputs: Annotated[bool, Query(alias="includeOutputs")] = False,
) -> Answer:
    """Return finished steps, oldest first."""
    after = read_number("steps", cursor)
    with reading() as session:
        run = find_run(session, caller.tenant, parse_run_id(runId)).id
        found = steps_after(session, run, after, limit + 1, outputs=outputs)
    more = write_cursor("steps", str(found[limit - 1][0])) if len(found) > limit else None
    return Answer({"steps": [step for _, step in found[:limit]], "nextCursor": more})


@router.get(
    "/v1/runs/{runId}/events",
    response_model=EventPage,
    summary="Events of a run",
    responses=refusals("invalid_request", "run_not_found"),
)
def read_events(
    runId: str,  # noqa: N803  as the API spells it
    caller: Reader,
    after: Annotated[int, Query(alias="afterSeq", ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 200,
) -> Answer:
    """Return the events after `afterSeq`, in order."""
    with reading() as session:
        run = find_run(session, caller.tenant, parse_run_id(runId)).id
        found = events_after(session, caller, run, after, limit + 1)
    more = found[limit - 1]["seq"] if len(found) > limit else None
    return Answer({"events": found[:limit], "nextAfterSeq": more})


@router.get("/v1/runs/{runId}/logs", response_model=LogPage, summary="Log lines of a run", responses=_PAGES)
def read_logs(
    runId: str,  # noqa: N803  as the API spells it
    caller: Reader,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Answer:
    """Return log lines, oldest first."""
    after = read_number("logs", cursor)
    with reading() as session:
        run = find_run(session, caller.tenant, parse_run_id(runId)).id
        found = log_after(session, run, after, limit + 1)
    more = write_cursor("logs", str(found[limit - 1]["n"])) if len(found) > limit else None
    return Answer({"logs": found[:limit], "nextCursor": more})
