"""GET /v1/runs: find runs, newest first. New runs do not shift pages: each page starts below the last id of the previous one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request

from api.http.auth import Caller, may
from api.http.cursors import invalid_cursor, read_cursor, write_cursor
from api.http.fields import Bound
from api.http.openapi_responses import refusals
from api.http.problems import invalid
from api.http.responses import Answer
from api.http.transactions import driver, reading
from api.resources import Resources, resources
from api.runs.paged_search import search_page
from api.runs.view import summaries
from api.shapes import Category, RunPage, RunStatus
from models.runs.run_filter import Label, RunFilter
from models.runs.search import NEWEST, PLAN, Search

router = APIRouter(tags=["Runs"])

_KNOWN = frozenset(
    {
        "status",
        "category",
        "agent",
        "queue",
        "tag",
        "createdAfter",
        "createdBefore",
        "userId",
        "parentRunId",
        "limit",
        "cursor",
    }
)
_METADATA = "metadata."
Words = Annotated[list[str] | None, Query()]


@router.get(
    "/v1/runs",
    response_model=RunPage,
    summary="Find runs",
    description="Newest first. Repeat `metadata.KEY=value` to filter by metadata. A call examines a limited number of runs: a "
    "page may have fewer than `limit`, or none, and still a `nextCursor`. Continue the search with it.",
    responses=refusals("invalid_request", "invalid_cursor"),
)
async def list_runs(
    *,
    request: Request,
    caller: Annotated[Caller, Depends(may("read"))],
    shared: Annotated[Resources, Depends(resources)],
    status: Annotated[list[RunStatus] | None, Query(description="Repeatable.")] = None,
    category: Annotated[Category | None, Query()] = None,
    agent: Annotated[str | None, Query()] = None,
    queue: Annotated[str | None, Query()] = None,
    tag: Annotated[list[str] | None, Query(description="Repeatable: runs that have all of these tags.")] = None,
    created_after: Annotated[Bound | None, Query(alias="createdAfter")] = None,
    created_before: Annotated[Bound | None, Query(alias="createdBefore")] = None,
    user_id: Annotated[str | None, Query(alias="userId")] = None,
    parent: Annotated[
        str | None,
        Query(alias="parentRunId", description="Runs that this run started.", json_schema_extra={"format": "uuid"}),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    wanted = RunFilter(
        caller.tenant,
        status or (),
        category,
        agent,
        queue,
        user_id,
        _parent(parent),
        _labels(request, tag or []),
        created_after,
        created_before,
    )
    below = NEWEST if cursor is None else _below(cursor)
    return await shared.fair_use.search(caller, lambda: _page(caller, Search(wanted), below, limit))


def _page(caller: Caller, wanted: Search, below: UUID, limit: int) -> Answer:
    with reading(PLAN) as session:
        found = search_page(driver(session), wanted, below, limit)
        shown = summaries(session, found.runs, caller)
    more = None if found.below is None else write_cursor("runs", found.below.hex)
    return Answer({"runs": shown, "nextCursor": more})


def _parent(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise invalid("parentRunId", "must be the id of a run") from None


def _below(cursor: str) -> UUID:
    try:
        return UUID(hex=read_cursor("runs", cursor))
    except ValueError:
        raise invalid_cursor() from None


def _labels(request: Request, tags: list[str]) -> list[Label]:
    metadata = []
    for name, value in request.query_params.multi_items():
        if name.startswith(_METADATA) and len(name) > len(_METADATA):
            metadata.append(Label("metadata", name.removeprefix(_METADATA), value))
        elif name not in _KNOWN:
            raise invalid(name[:100], "is not a filter of this call")
    # The search starts with the first label; metadata is rarer than tags.
    return [*metadata, *(Label("tag", tag) for tag in tags)]
