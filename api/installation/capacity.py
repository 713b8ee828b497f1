"""GET /v1/capacity: how busy each queue is, and what holds it back. Counts over all tenants, and nothing but counts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import text
from sqlmodel import Session, select

from api.answers import Answer
from api.auth import Caller, may
from api.documented import refusals
from api.shapes import Capacity, QueueCapacity, WindowNow
from api.transactions import reading
from models.events import timestamp
from models.gate import Standings
from models.window import Window

router = APIRouter(tags=["Installation"])

# The condition on workers is the one in `installation/workers.py`; a worker that has not said which agents it serves
# offers no slots yet.
_CAPACITY = text("""
    WITH offered AS (
        SELECT queue, count(*) AS workers, sum(slots) FILTER (WHERE agents <> '{}') AS slots FROM worker
        WHERE dead_at IS NULL AND lease_until > now() AND consuming_at > now() - interval '10 s' AND NOT draining
        GROUP BY queue
    ), standing AS (
        SELECT queue, count(*) FILTER (WHERE lease_worker IS NOT NULL) AS executing,
            count(*) FILTER (WHERE ticket_at IS NOT NULL) AS tickets,
            count(*) FILTER (WHERE ready_at IS NOT NULL AND ticket_at IS NULL) AS queued,
            count(*) FILTER (WHERE ready_at IS NOT NULL AND ticket_at IS NULL
                AND (blocked_on IS NOT NULL OR control_request IS NOT NULL)) AS blocked,
            count(*) FILTER (WHERE status IN ('PAUSED', 'AUTH_REQUIRED')) AS parked
        FROM run WHERE finished_at IS NULL GROUP BY queue
    )
    SELECT name, coalesce(workers, 0) AS workers, coalesce(slots, 0) AS slots, run_limit, coalesce(executing, 0) AS executing,
        coalesce(tickets, 0) AS tickets, coalesce(queued, 0) AS queued, coalesce(blocked, 0) AS blocked,
        coalesce(parked, 0) AS parked, paused, cordoned, window_name, now() AS now
    FROM queue LEFT JOIN offered ON offered.queue = name LEFT JOIN standing ON standing.queue = name ORDER BY name
    """)
_standings = Standings()


@router.get("/v1/capacity", response_model=Capacity, summary="Capacity", responses=refusals())
def read_capacity(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """Count slots and runs per queue, and say what holds the queue back."""
    return Answer({"queues": look()})


def look() -> list[QueueCapacity]:
    """Read how busy each queue is now."""
    with reading() as session:
        rows = session.connection().execute(_CAPACITY).mappings().all()
        windows = _windows(session, {row["window_name"] for row in rows} - {None})
    return [_queue(row, windows.get(row["window_name"])) for row in rows]


def _windows(session: Session, names: set[str]) -> dict[str, Window]:
    return {window.name: window for window in session.exec(select(Window)) if window.name in names} if names else {}


def _queue(row: Any, window: Window | None) -> QueueCapacity:
    return {
        "queue": row["name"],
        "workers": row["workers"],
        "slots": row["slots"],
        "limit": row["run_limit"],
        "inFlight": row["executing"] + row["tickets"],
        "executing": row["executing"],
        "queued": row["queued"],
        "blocked": row["blocked"],
        "parked": row["parked"],
        "paused": row["paused"],
        "cordoned": row["cordoned"],
        "window": row["window_name"],
        "nextWindow": None if window is None else _stands(window, row["now"]),
    }


def _stands(window: Window, now: datetime) -> WindowNow:
    try:
        found = _standings.of(window, now)
    except ValueError:
        return {"open": False, "until": None}  # as the scheduler takes a zone that it does not know
    return {"open": found.open, "until": timestamp(found.until)}
