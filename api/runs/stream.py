"""GET /v1/runs/{runId}/sse: a run's events after any position, live until `end`."""

import time
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.http.auth import Caller, may
from api.http.openapi_responses import Responses, refusals
from api.http.problems import Problem, invalid
from api.http.responses import PRIVATE
from api.http.transactions import reading
from api.resources import Resources, resources
from api.runs.find import find_run, parse_run_id
from api.streams.frame import KEEPALIVE
from api.streams.hub import Hub
from models.lifecycle import TERMINAL

router = APIRouter(tags=["Runs"])

KEEPALIVE_SECONDS = 20.0
HEADERS = {**PRIVATE, "x-accel-buffering": "no"}  # keeps nginx from buffering the stream
_EXAMPLE = (
    'id: 2\nevent: start\ndata: {"seq":2,"event":"start","runId":"019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80",'
    '"runStatus":"RUNNING","timestamp":"2026-03-01T09:30:00.125Z"}\n\nevent: keepalive\ndata: null\n\n'
)
# Schema of one event of a stream. `itemSchema` belongs to OpenAPI 3.2, but readers of 3.1 know it too.
EVENT = {
    "type": "object",
    "properties": {
        "id": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Stored events only: the position to resume from.",
        },
        "event": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "JSON; `null` in a keepalive.",
        },
    },
    "required": ["event", "data"],
}
_STREAM: Responses = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "itemSchema": EVENT, "example": _EXAMPLE}},
    }
}


_SEQ = {"pattern": "^[0-9]{0,9}$"}


@router.get(
    "/v1/runs/{runId}/sse",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses=_STREAM | refusals("invalid_request", "invalid_cursor", "run_not_found"),
)
async def stream_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("read"))],
    shared: Annotated[Resources, Depends(resources)],
    header: Annotated[
        str | None, Header(alias="Last-Event-ID", description="The last id that you received.", json_schema_extra=_SEQ)
    ] = None,
    query: Annotated[
        str | None,
        Query(
            alias="lastEventId", description="The same, for clients that cannot send headers.", json_schema_extra=_SEQ
        ),
    ] = None,
) -> StreamingResponse:
    """Send each stored event once, in order, then new events live; ends after `end`. Live-only events have no id."""
    run = parse_run_id(runId)
    after = _last_seen(header or query)
    nothing_left = await run_in_threadpool(_nothing_after, caller.tenant, run, after)
    body = iter(()) if nothing_left else _frames(shared.hub, run, after, caller)
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


def _last_seen(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise invalid("Last-Event-ID", "must be the id of an event of this run")
    return int(text)


def _nothing_after(tenant: str, run: UUID, after: int) -> bool:
    with reading() as session:
        row = find_run(session, tenant, run)
        if after > row.seq:
            raise Problem("invalid_cursor", f"Last-Event-ID is beyond the run's newest event, which is {row.seq}.")
        return row.status in TERMINAL and after == row.seq


async def _frames(hub: Hub, run: UUID, after: int, viewer: Caller) -> AsyncIterator[bytes]:
    keepalive_at = time.monotonic() + KEEPALIVE_SECONDS
    async with hub.mailbox(run, after, viewer) as box:
        while not box.closed:
            frames = await box.take(keepalive_at - time.monotonic())
            if frames:
                yield b"".join(frame.wire for frame in frames)
            if any(frame.end for frame in frames):
                return
            if time.monotonic() >= keepalive_at:
                keepalive_at += KEEPALIVE_SECONDS
                yield KEEPALIVE
