"""GET and PUT /v1/queues: how many runs of a queue go at once, how fast, in whose favour, and when."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlmodel import col, select

from api.http.auth import Caller, may
from api.http.body import json_object
from api.http.durations import iso
from api.http.fields import WHOLE, Limit, Name, RateSpan
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import Body, read_as
from api.http.path_names import NAMED
from api.http.problems import invalid
from api.http.responses import Answer
from api.http.transactions import reading
from api.installation.queue_settings import FALSE, GateRequest, Operator, Raw, Shared, change, unknown
from api.shapes import QueueBody, QueueList
from models.names import RULE, is_name
from models.tables.queue import Queue

router = APIRouter(tags=["Installation"])

Reader = Annotated[Caller, Depends(may("read"))]
Weight = Annotated[float, Field(ge=0.01, le=1000)]
_WORDS = {"tenantLimit": "tenant_limit", "keyLimit": "key_limit", "holdKeys": "hold_keys"}
_EXAMPLE = {"limit": 20, "tenantLimit": 5, "rate": {"limit": 100, "per": "PT1M"}, "weights": {"acme": 2}}


class RateRequest(Body):
    """How many runs may start within a span of time."""

    limit: Annotated[int, Field(ge=1, le=100_000, description="New runs that start within any span, at most."), WHOLE]
    per: Annotated[RateSpan, Field(description="The span, a second to a day: seconds or ISO 8601.")]


class QueueRequest(GateRequest):
    """What to change: a field that is left out stays as it is, null takes a limit away."""

    tenantLimit: Annotated[  # noqa: N815  as the API spells it
        Limit | None, Field(description="Runs of one tenant in flight at once; null for no limit.")
    ] = None
    keyLimit: Annotated[  # noqa: N815  as the API spells it
        Limit | None,
        Field(description="Runs of one tenant and `concurrencyKey` that execute at once; null for the default, 1."),
    ] = None
    holdKeys: Annotated[  # noqa: N815  as the API spells it
        bool, Field(description="Whether a run that parks keeps the place of its `concurrencyKey`.")
    ] = FALSE
    rate: Annotated[RateRequest | None, Field(description="How fast new runs start; null: as fast as they can.")] = None
    weights: Annotated[
        dict[Name, Weight] | None,
        Field(
            max_length=1000,
            description="By tenant, 0.01 to 1000: one of weight 2 gets twice the share of one of weight 1 while both wait. All "
            "weights of the queue are replaced: a tenant that is not named weighs 1. Null: all weigh 1.",
        ),
    ] = None
    cordoned: Annotated[bool, Field(description="Whether new runs are held back; those that were started go on.")] = (
        FALSE
    )


@router.get("/v1/queues", response_model=QueueList, summary="Queues", responses=refusals())
def list_queues(caller: Reader) -> Answer:
    """List the queues, each made by the first worker that registered for it or by PUT."""
    with reading() as session:
        found = session.exec(select(Queue).order_by(col(Queue.name))).all()
    return Answer({"queues": [_shown(queue, caller) for queue in found]})


@router.get(f"/v1/queues/{NAMED}", response_model=QueueBody, summary="A queue", responses=refusals("not_found"))
def read_queue(name: str, caller: Reader) -> Answer:
    """Show a queue."""
    return _answer(name, caller)


@router.put(
    f"/v1/queues/{NAMED}",
    response_model=QueueBody,
    summary="Change a queue",
    responses=refusals(*BODY, "unknown_window"),
    openapi_extra=request_body(QueueRequest, _EXAMPLE),
)
def put_queue(name: str, caller: Operator, raw: Raw, shared: Shared) -> Answer:
    """Limit a queue, pause or cordon it, share it out, or have a window gate its runs; a field left out stays as it is.

    A queue that nobody serves yet is made. Runs that are in flight go on: a lower limit holds for those that come after them.
    """
    if not is_name(name):
        raise invalid("name", RULE)
    body = read_as(QueueRequest, json_object(raw))
    change("queue", name, _asked(body), caller=caller, shared=shared)
    return _answer(name, caller)


def _asked(body: QueueRequest) -> dict[str, Any]:
    """Give what was asked for in the words of `models`, with what is stored in the place of nulls."""
    asked = {_WORDS.get(field, field): value for field, value in body.model_dump(exclude_unset=True).items()}
    if "key_limit" in asked:
        asked["key_limit"] = asked["key_limit"] or 1
    if body.rate is not None:
        asked["rate"] = {"limit": body.rate.limit, "per_ms": body.rate.per}
    if "weights" in asked:
        asked["weights"] = asked["weights"] or None
    return asked


def _answer(name: str, caller: Caller) -> Answer:
    with reading() as session:
        queue = session.get(Queue, name)
    if queue is None:
        raise unknown("queue", name)
    return Answer(_shown(queue, caller))


def _shown(queue: Queue, caller: Caller) -> QueueBody:
    rate, weights = queue.rate, queue.weights or {}
    # Who else uses the installation is the business of those who operate it.
    seen = weights if "operate" in caller.scopes else {caller.tenant: weights.get(caller.tenant)}
    return {
        "name": queue.name,
        "limit": queue.run_limit,
        "tenantLimit": queue.tenant_limit,
        "keyLimit": queue.key_limit,
        "holdKeys": queue.hold_keys,
        "rate": {"limit": rate["limit"], "per": iso(rate["per_ms"])} if rate else None,
        "weights": {tenant: weight for tenant, weight in seen.items() if weight},
        "cordoned": queue.cordoned,
        "paused": queue.paused,
        "window": queue.window_name,
    }
