"""POST /v1/runs/bulk/{action}: cancel, pause, resume or retry all runs that match a filter; the scheduler carries it out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.concurrency import run_in_threadpool
from sqlmodel import select

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import read_as
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import driver, reading, transaction
from api.resources import Resources, resources
from api.runs.bulk_filter import BulkRequest
from api.shapes import BulkAction, BulkBody
from models.operations import bulk as bulks
from models.operations.bulk import Action, Counted, StoredBulk
from models.runs.public_event import timestamp
from models.runs.run_filter import RunFilter
from models.runs.search import PLAN
from models.runtime.facts import fact
from models.tables.bulk import Bulk

router = APIRouter(tags=["Runs"])

_EXAMPLE = {"filter": {"agent": "refund", "status": ["FAILED"], "createdAfter": "2026-03-01T00:00:00Z"}, "dryRun": True}
_ONLY_COUNTED = {"id": None, "done": 0, "skipped": 0, "failed": 0, "created_at": None, "finished_at": None}


@router.post(
    "/v1/runs/bulk/{bulk}",
    status_code=202,
    response_model=BulkBody,
    summary="Act on many runs",
    responses=refusals(*BODY, "conflict", "rate_limited"),
    openapi_extra=request_body(BulkRequest, _EXAMPLE),
)
async def start_bulk(
    action: Annotated[BulkAction, Path(alias="bulk", description="The action.")],
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Cancel, pause, resume or retry every run that matches the filter and exists now, as the call for a single run does.

    `dryRun` only counts the runs to which the action would apply. Otherwise the operation is stored and continues on its own;
    GET shows its progress.
    """
    body = read_as(BulkRequest, json_object(raw))
    wanted = body.filter.run_filter(caller.tenant)
    what = Action(action)
    counted = await shared.fair_use.search(caller, lambda: _count(what, wanted))
    if body.dryRun:
        request: dict[str, Any] = {"action": action, "filter": wanted.document(), "by": caller.name}
        matches = {"matched": counted.matched, "counted_all": counted.whole}
        return Answer(_shown({**_ONLY_COUNTED, **request, **matches}), 202)
    row = await run_in_threadpool(_start, caller, what, wanted, counted)
    if row is None:
        raise Problem(
            "conflict", f"Your tenant runs {bulks.MOST_OPEN} such operations already. Wait until one of them has ended."
        )
    fact("bulk.accepted", bulk=row.id, action=what, matched=counted.matched)
    return Answer(_shown(asdict(row)), 202)


def _count(action: Action, wanted: RunFilter) -> Counted:
    with reading(PLAN) as session:
        return bulks.count(driver(session), action, wanted)


def _start(caller: Caller, action: Action, wanted: RunFilter, counted: Counted) -> StoredBulk | None:
    with transaction() as connection:
        return bulks.start(action, wanted, by=caller.name, created_by=caller.key, counted=counted).one(connection)


@router.get(
    "/v1/runs/bulk/{bulk}",
    response_model=BulkBody,
    summary="Progress of an operation on many runs",
    responses=refusals("not_found"),
)
def read_bulk(
    bulk: Annotated[str, Path(description="The `bulkId` of an operation.", json_schema_extra={"format": "uuid"})],
    caller: Annotated[Caller, Depends(may("read"))],
) -> Answer:
    """Show an operation on many runs. It is kept for 30 days after its end."""
    try:
        wanted = UUID(bulk)
    except ValueError:
        raise _unknown() from None
    with reading() as session:
        row = session.exec(select(Bulk).where(Bulk.id == wanted, Bulk.tenant == caller.tenant)).first()
    if row is None:
        raise _unknown()
    return Answer(_shown(row.model_dump()))


def _unknown() -> Problem:
    return Problem("not_found", "There is no operation on many runs with this id. Check the id and your API key.")


def _shown(row: Mapping[str, Any]) -> BulkBody:
    counts = {name: row[name] for name in ("matched", "done", "skipped", "failed")}
    shown: dict[str, Any] = {
        "bulkId": row["id"] and str(row["id"]),
        "action": row["action"],
        "dryRun": row["id"] is None,
        "filter": row["filter"],
        "countedAll": row["counted_all"],
        **counts,
        "by": row["by"],
        "createdAt": timestamp(row["created_at"]),
        "finishedAt": timestamp(row["finished_at"]),
    }
    return cast("BulkBody", shown)
