"""GET /health and GET /ready: whether the process is alive, and whether it can work."""

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


@router.get("/health", response_model=Health, summary="Is it alive?", responses=refusals(open_to_all=True))
async def health() -> Answer:
    """Answer 200 while the process runs, even if all else is unreachable."""
    return Answer({"status": "alive"})


@router.get(
    "/ready", response_model=Readiness, summary="Can it work?", responses=refusals("unavailable", open_to_all=True)
)
def ready(shared: Annotated[Resources, Depends(resources)]) -> Answer:
    """Answer 200 while the database is reachable, has its tables and accepts writes. Without Redis, only latency suffers."""
    with transaction() as connection:
        found = connection.execute("SELECT to_regclass('run') IS NOT NULL").fetchone()
        if found is None or not found[0]:
            raise Problem("unavailable", "The database has no tables yet: run `alembic upgrade head`.")
        write_access.probe(connection)
    return Answer({"status": "ready", "database": "there", "redis": "there" if shared.hub.redis_there else "away"})
