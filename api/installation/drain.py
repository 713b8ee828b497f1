"""POST /v1/workers/{id}/drain: the worker takes no new runs and returns each of its runs after its present step."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.openapi_responses import refusals
from api.http.problems import Problem
from api.http.responses import Answer
from api.http.transactions import transaction
from api.resources import Resources, resources
from api.shapes import DrainBody
from models.fleet import workers
from models.runtime import bus
from models.runtime.facts import fact

router = APIRouter(tags=["Installation"])


@router.post(
    "/v1/workers/{workerId}/drain",
    response_model=DrainBody,
    status_code=202,
    summary="Drain a worker",
    responses=refusals("not_found"),
)
def drain_worker(
    workerId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("operate"))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Ask a worker to drain. Its runs continue on other workers from their last recorded step; draining cannot be undone."""
    worker = _worker_id(workerId)
    with transaction() as connection:
        if workers.drain(worker).one(connection) is None:
            raise _unknown()
    shared.bus.wake_up(bus.worker_channel(worker))
    fact("worker.drain_requested", worker=worker, by=caller.name)
    return Answer({"id": str(worker), "draining": True}, 202)


def _worker_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> Problem:
    return Problem("not_found", "There is no such worker, or it is no longer alive: see GET /v1/workers.")
