"""GET and PUT /v1/queues: limits, rates, weights and gates of queues."""

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
    """A limit of starts within a span of time."""

    limit: Annotated[
        int, Field(ge=1, le=100_000, description="Maximum number of new runs that start within any span."), WHOLE
    ]
    per: Annotated[RateSpan, Field(description="The span, a second to a day: seconds or ISO 8601.")]


class QueueRequest(GateRequest):
    """A change of settings: omitted fields stay as they are, null removes a limit."""

    tenantLimit: Annotated[  # noqa: N815  as the API spells it
        Limit | None, Field(description="Concurrent runs of one tenant in flight; null for no limit.")
    ] = None
    keyLimit: Annotated[  # noqa: N815  as the API spells it
        Limit | None,
        Field(description="Concurrent runs of one tenant and `concurrencyKey`; null for the default, 1."),
    ] = None
    holdKeys: Annotated[  # noqa: N815  as the API spells it
        bool, Field(description="Whether a parked run keeps the place of its `concurrencyKey`.")
    ] = FALSE
    rate: Annotated[RateRequest | None, Field(description="Rate of new runs; null for no limit.")] = None
    weights: Annotated[
        dict[Name, Weight] | None,
        Field(
            max_length=1000,
            description="By tenant, 0.01 to 1000: a tenant of weight 2 gets twice the share of one of weight 1 while both wait. "
            "All weights of the queue are replaced: a tenant that is not named has weight 1. Null: all have weight 1.",
        ),
    ] = None
    cordoned: Annotated[bool, Field(description="Whether new runs are held; started runs continue.")] = FALSE


@router.get("/v1/queues", response_model=QueueList, summary="Queues", responses=refusals())
def list_queues(caller: Reader) -> Answer:
    """List the queues; the first worker that registers for a queue makes it, or PUT."""
    with reading() as session:
        found = session.exec(select(Queue).order_by(col(Queue.name))).all()
    return Answer({"queues": [_shown(queue, caller) for queue in found]})


@router.get(f"/v1/queues/{NAMED}", response_model=QueueBody, summary="A queue", responses=refusals("not_found"))
def read_queue(name: str, caller: Reader) -> Answer:
    """Return a queue."""
    return _answer(name, caller)


@router.put(
    f"/v1/queues/{NAMED}",
    response_model=QueueBody,
    summary="Change a queue",
    responses=refusals(*BODY, "unknown_window"),
    openapi_extra=request_body(QueueRequest, _EXAMPLE),
)
def put_queue(name: str, caller: Operator, raw: Raw, shared: Shared) -> Answer:
    """Limit, pause or cordon a queue, weigh its tenants, or let a window gate its runs; omitted fields stay as they are.

    A queue that does not exist is made. Runs in flight continue: a lower limit holds only later ones.
    """
    if not is_name(name):
        raise invalid("name", RULE)
    body = read_as(QueueRequest, json_object(raw))
    change("queue", name, _asked(body), caller=caller, shared=shared)
    return _answer(name, caller)


def _asked(body: QueueRequest) -> dict[str, Any]:
    """Return the change in the names of `models`, with the stored defaults instead of nulls."""
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
    # Only operators may see the names of other tenants.
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
