"""GET /v1/events/sse: live events of a tenant's runs, for dashboards and notifiers."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from sqlmodel import col, select
from starlette.responses import StreamingResponse

from api.http.auth import Caller, may
from api.http.openapi_responses import Responses, refusals
from api.http.transactions import reading
from api.links.delivery import add_links_and_input, is_question
from api.resources import Resources, resources
from api.runs.stream import EVENT, HEADERS, KEEPALIVE_SECONDS
from api.shapes import RunStatus
from api.streams.frame import KEEPALIVE, frame
from api.streams.hub import Hub
from models.tables.run import Run

router = APIRouter(tags=["Runs"])

_EXAMPLE = (
    'event: run_approval\ndata: {"seq":4,"event":"run_approval","runId":"019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80",'
    '"runStatus":"PAUSED","timestamp":"2026-03-01T09:30:00.125Z","prompt":"Ship it?"}\n\nevent: keepalive\ndata: null\n\n'
)
_STREAM: Responses = {
    200: {
        "description": "Server-sent events without ids: missed events are not sent again.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "itemSchema": EVENT, "example": _EXAMPLE}},
    }
}


@router.get(
    "/v1/events/sse",
    summary="Follow a tenant",
    response_class=StreamingResponse,
    responses=_STREAM | refusals("invalid_request"),
)
async def stream_tenant(
    caller: Annotated[Caller, Depends(may("read"))],
    shared: Annotated[Resources, Depends(resources)],
    status: Annotated[
        list[RunStatus] | None, Query(description="Repeatable: events of runs with one of these statuses.")
    ] = None,
    agent: Annotated[str | None, Query(description="Events of this agent's runs.")] = None,
) -> StreamingResponse:
    """Send events from the first keepalive on, which comes immediately. Unlike a run's own stream, this one may lose events."""
    body = _frames(shared.hub, caller, frozenset(status or ()), agent)
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


async def _frames(hub: Hub, viewer: Caller, statuses: frozenset[str], agent: str | None) -> AsyncIterator[bytes]:
    async with hub.board(viewer) as board:
        yield KEEPALIVE
        keepalive_at = time.monotonic() + KEEPALIVE_SECONDS
        while not board.closed:
            messages = await board.take(keepalive_at - time.monotonic())
            wanted = [message for message in messages if not statuses or message.get("runStatus") in statuses]
            if wanted and (agent is not None or any(map(is_question, wanted))):
                wanted = await run_in_threadpool(_filtered, viewer, agent, wanted)
            if wanted:
                yield b"".join(frame(message, resumable=False).wire for message in wanted)
            if time.monotonic() >= keepalive_at:
                keepalive_at += KEEPALIVE_SECONDS
                yield KEEPALIVE


def _filtered(viewer: Caller, agent: str | None, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages about the agent's runs, with the links that the viewer may have."""
    with reading() as session:
        if agent is not None:
            ids = {message["runId"] for message in messages}
            about = select(Run.id).where(col(Run.id).in_(ids), Run.tenant == viewer.tenant, Run.agent == agent)
            theirs = {str(run) for run in session.exec(about)}
            messages = [message for message in messages if message["runId"] in theirs]
        add_links_and_input(session, [(viewer, message) for message in messages])
    return list(messages)
