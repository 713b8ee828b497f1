"""GET /health and GET /ready: whether the process lives, and whether it can do its job."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.openapi_responses import refusals
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import transaction
from api.http.write_access import write_access
from api.resources import Resources, resources
from api.shapes import Health, Readiness

router = APIRouter(tags=["Health"])


@router.get("/health", response_model=Health, summary="Does it live?", responses=refusals(open_to_all=True))
async def health() -> Answer:
    """Answer as long as the process can, whatever else is away."""
    return Answer({"status": "alive"})


@router.get(
    "/ready", response_model=Readiness, summary="Can it work?", responses=refusals("unavailable", open_to_all=True)
)
def ready(shared: Annotated[Resources, Depends(resources)]) -> Answer:
    """Answer 200 while the database is there, has its tables and takes writes. Redis may be away: that costs latency only."""
    with transaction() as connection:
        found = connection.execute("SELECT to_regclass('run') IS NOT NULL").fetchone()
        if found is None or not found[0]:
            raise Problem("unavailable", "The database has no tables yet: run `alembic upgrade head`.")
        write_access.probe(connection)
    return Answer({"status": "ready", "database": "there", "redis": "there" if shared.hub.redis_there else "away"})
