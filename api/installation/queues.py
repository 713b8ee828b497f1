"""GET and PUT /v1/queues, PUT /v1/agents/{name}: what holds back the runs of a queue or of an agent."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlmodel import col, select

from api.answers import Answer
from api.auth import Caller, may
from api.body import body_within, json_object, small_limit
from api.documented import BODY, refusals, takes
from api.fields import Name
from api.installation.agents import read_agent
from api.installation.windows import NAME, NAME_RULE
from api.problems import FieldError, Problem, invalid
from api.requests import Body, read_as
from api.resources import Resources, resources
from api.shapes import AgentBody, QueueBody, QueueList
from api.transactions import reading, transaction
from models import bus, gating
from models.facts import fact
from models.queue import Queue

router = APIRouter(tags=["Installation"])

# Documented fields whose behaviour this version does not have.
LATER = frozenset({"limit", "rate", "weights"})
Operator = Annotated[Caller, Depends(may("operate"))]
Raw = Annotated[bytes, Depends(body_within(small_limit))]
Shared = Annotated[Resources, Depends(resources)]


class GateBody(Body):
    """What to change: a field that is left out stays as it is."""

    paused: Annotated[bool, Field(description="Whether its runs are held back.")] = False
    window: Annotated[Name | None, Field(description="The window that gates its runs; null for none.")] = None


@router.get("/v1/queues", response_model=QueueList, summary="Queues", responses=refusals())
def list_queues(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """List the queues, each made by the first worker that registered for it or by PUT."""
    with reading() as session:
        found = session.exec(select(Queue).order_by(col(Queue.name))).all()
    return Answer({"queues": [_shown(queue) for queue in found]})


@router.get("/v1/queues/{name}", response_model=QueueBody, summary="A queue", responses=refusals("not_found"))
def read_queue(name: str, _caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """Show a queue."""
    with reading() as session:
        queue = session.get(Queue, name)
    if queue is None:
        raise _unknown("queue", name)
    return Answer(_shown(queue))


@router.put(
    "/v1/queues/{name}",
    response_model=QueueBody,
    summary="Change a queue",
    responses=refusals(*BODY, "unknown_window"),
    openapi_extra=takes(GateBody, {"window": "night"}),
)
def put_queue(name: str, caller: Operator, raw: Raw, shared: Shared) -> Answer:
    """Pause a queue, or have a window gate its runs, the new and the resumed ones; a field left out stays as it is.

    A queue that nobody serves yet is made."""
    if not NAME.fullmatch(name):
        raise invalid("name", NAME_RULE)
    _change("queue", name, caller, raw, shared)
    with reading() as session:
        queue = session.get(Queue, name)
    assert queue is not None
    return Answer(_shown(queue))


@router.put(
    "/v1/agents/{name}",
    response_model=AgentBody,
    summary="Change an agent",
    responses=refusals(*BODY, "not_found", "unknown_window"),
    openapi_extra=takes(GateBody, {"paused": True}),
)
def put_agent(name: str, caller: Operator, raw: Raw, shared: Shared) -> Answer:
    """Pause an agent, or have a window gate its runs, the new and the resumed ones; a field left out stays as it is."""
    _change("agent", name, caller, raw, shared)
    return Answer(read_agent(name))


def _change(kind: Literal["queue", "agent"], name: str, caller: Caller, raw: bytes, shared: Resources) -> None:
    body = read_as(GateBody, json_object(raw), later=LATER)
    asked = body.model_dump(exclude_unset=True)
    if body.window is not None:
        shared.catalogue.check_window(body.window, "window")
    with transaction() as connection:
        if not gating.holds_window(connection, body.window):
            gone = [FieldError("window", "was deleted")]
            raise Problem("unknown_window", f"The window {body.window} was deleted a moment ago.", gone)
        if kind == "queue":
            gating.make_queue(connection, name)
        if gating.change(kind, name, asked).one(connection) is None:
            raise _unknown(kind, name)
    shared.bus.wake(bus.PROMOTE)
    fact(f"{kind}.changed", **{kind: name}, by=caller.name, **asked)


def _unknown(kind: str, name: str) -> Problem:
    return Problem("not_found", f"There is no {kind} {name[:100]}: see GET /v1/{kind}s.")


def _shown(queue: Queue) -> QueueBody:
    window: Any = queue.window_name
    return {"name": queue.name, "paused": queue.paused, "window": window}
