"""GET /v1/workers: the worker processes and their states."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import ColumnElement, and_, func, text
from sqlmodel import col, select

from api.http.auth import Caller, may
from api.http.openapi_responses import refusals
from api.http.responses import Answer
from api.http.transactions import reading
from api.shapes import WorkerBody, WorkerList
from models.runs.public_event import timestamp
from models.tables.run import Run
from models.tables.worker import Worker

router = APIRouter(tags=["Installation"])


def _alive() -> ColumnElement[bool]:
    return col(Worker.lease_until) > func.now()


def _consuming() -> ColumnElement[bool]:
    return col(Worker.consuming_at) > func.now() - text("interval '10 s'")


def offers_slots() -> ColumnElement[bool]:
    """Return the condition for workers whose slots the scheduler counts: alive, consuming, and not draining."""
    return and_(col(Worker.dead_at).is_(None), _alive(), _consuming(), col(Worker.draining).is_(False))


@router.get("/v1/workers", response_model=WorkerList, summary="Workers", responses=refusals())
def list_workers(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """List the workers that are not declared dead, oldest first."""
    leased = select(func.count()).where(col(Run.lease_worker) == col(Worker.id)).scalar_subquery()
    wanted: Any = select(Worker, leased, _alive(), func.coalesce(_consuming(), text("false")))
    with reading() as session:
        rows = session.exec(wanted.where(col(Worker.dead_at).is_(None)).order_by(col(Worker.id))).all()
        return Answer({"workers": [_worker(*row) for row in rows]})


def _worker(worker: Worker, leased: int, alive: bool, consuming: bool) -> WorkerBody:
    return {
        "id": str(worker.id),
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "queue": worker.queue,
        "slots": worker.slots,
        "leased": leased,
        "agents": worker.agents,
        "alive": alive,
        "draining": worker.draining,
        "consuming": consuming,
        "startedAt": timestamp(worker.started_at),
        "leaseUntil": timestamp(worker.lease_until),
    }
