"""GET /v1/capacity: how busy each queue is. Counts over all tenants, and nothing but counts."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import text

from api.answers import Answer
from api.auth import Caller, may
from api.documented import refusals
from api.shapes import Capacity
from api.transactions import reading

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
            count(*) FILTER (WHERE status IN ('PAUSED', 'AUTH_REQUIRED')) AS parked
        FROM run WHERE finished_at IS NULL GROUP BY queue
    )
    SELECT name, coalesce(workers, 0) AS workers, coalesce(slots, 0) AS slots, coalesce(executing, 0) AS executing,
        coalesce(tickets, 0) AS tickets, coalesce(queued, 0) AS queued, coalesce(parked, 0) AS parked
    FROM queue LEFT JOIN offered ON offered.queue = name LEFT JOIN standing ON standing.queue = name ORDER BY name
    """)


@router.get("/v1/capacity", response_model=Capacity, summary="Capacity", responses=refusals())
def read_capacity(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """Count slots and runs per queue."""
    with reading() as session:
        rows = session.connection().execute(_CAPACITY).mappings().all()
    queues = [
        {
            "queue": row["name"],
            "workers": row["workers"],
            "slots": row["slots"],
            "inFlight": row["executing"] + row["tickets"],
            "executing": row["executing"],
            "queued": row["queued"],
            "parked": row["parked"],
        }
        for row in rows
    ]
    return Answer({"queues": queues})
