"""GET /v1/capacity: slots, runs and gates of each queue. Counts over all tenants, and nothing but counts."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.openapi_responses import refusals
from api.http.responses import Answer
from api.installation.queue_capacity import queue_capacity
from api.shapes import Capacity

router = APIRouter(tags=["Installation"])


@router.get("/v1/capacity", response_model=Capacity, summary="Capacity", responses=refusals())
def read_capacity(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """Return the slots, runs and gates of each queue."""
    return Answer({"queues": queue_capacity()})
