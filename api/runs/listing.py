"""GET /v1/runs: find runs, newest first. Pages stay put while new runs arrive: each begins below the last id seen."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import text
from sqlmodel import col, select
from starlette.requests import Request

from api.answers import Answer
from api.auth import Caller, may
from api.cursors import cursor as write_cursor
from api.cursors import invalid_cursor, place
from api.documented import refusals
from api.fields import Moment
from api.problems import invalid
from api.runs.view import summaries
from api.shapes import Category, RunPage, RunStatus
from api.transactions import reading
from models.run import Run
from models.wanted import Label, Wanted

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
    description="Newest first. Any number of `metadata.KEY=value` parameters filters by metadata.",
    responses=refusals("invalid_request", "invalid_cursor"),
)
def list_runs(
    *,
    request: Request,
    caller: Annotated[Caller, Depends(may("read"))],
    status: Annotated[list[RunStatus] | None, Query(description="Repeatable.")] = None,
    category: Annotated[Category | None, Query()] = None,
    agent: Annotated[str | None, Query()] = None,
    queue: Annotated[str | None, Query()] = None,
    tag: Annotated[list[str] | None, Query(description="Repeatable: runs that have all of them.")] = None,
    created_after: Annotated[Moment | None, Query(alias="createdAfter")] = None,
    created_before: Annotated[Moment | None, Query(alias="createdBefore")] = None,
    user_id: Annotated[str | None, Query(alias="userId")] = None,
    parent: Annotated[
        str | None,
        Query(alias="parentRunId", description="Those that this run started.", json_schema_extra={"format": "uuid"}),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Answer:
    wanted = Wanted(
        caller.tenant, status or (), category, agent, queue, user_id, _parent(parent), _labels(request, tag or []),
        created_after, created_before,
    )  # fmt: skip
    where = [_as_text(*wanted.condition()), *([col(Run.id) < _below(cursor)] if cursor is not None else [])]
    with reading() as session:
        found = session.exec(select(Run).where(*where).order_by(col(Run.id).desc()).limit(limit + 1)).all()
        shown = summaries(session, found[:limit], caller)
    more = write_cursor("runs", found[limit - 1].id.hex) if len(found) > limit else None
    return Answer({"runs": shown, "nextCursor": more})


def _parent(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise invalid("parentRunId", "must be the id of a run") from None


def _below(cursor: str) -> UUID:
    try:
        return UUID(hex=place("runs", cursor))
    except ValueError:
        raise invalid_cursor() from None


def _labels(request: Request, tags: list[str]) -> list[Label]:
    labels = [Label("tag", tag) for tag in tags]
    for name, value in request.query_params.multi_items():
        if name.startswith(_METADATA) and len(name) > len(_METADATA):
            labels.append(Label("metadata", name.removeprefix(_METADATA), value))
        elif name not in _KNOWN:
            raise invalid(name[:100], "is not a filter of this call")
    return labels


def _as_text(condition: str, params: Mapping[str, Any]) -> Any:
    """Write a condition as SQLAlchemy names its parameters."""
    return text(re.sub(r"%\((\w+)\)s", r":\1", condition)).bindparams(**params)
