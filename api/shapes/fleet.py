"""Agents, workers, queues and their capacity."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment


class AgentBody(TypedDict):
    """An agent, whether or not a worker serves it now."""

    name: str
    description: str | None
    queue: str
    version: str
    inputSchema: dict[str, Any]
    timeout: Annotated[str | None, Field(description="The agent's default limit of active time, ISO 8601.")]
    limit: Annotated[int | None, Field(description="Concurrent runs in flight; null for no limit of its own.")]
    paused: Annotated[bool, Field(description="Whether its runs are held.")]
    window: Annotated[str | None, Field(description="The window that gates its runs.")]
    workers: Annotated[int, Field(description="Live workers that serve it.")]
    slots: Annotated[int, Field(description="Sum of their slots.")]
    firstSeenAt: Moment | None
    lastSeenAt: Moment | None


class AgentList(TypedDict):
    """All agents ever served."""

    agents: list[AgentBody]


class WorkerBody(TypedDict):
    """A worker process."""

    id: Id
    name: str
    host: str
    pid: int
    queue: str
    slots: int
    leased: Annotated[int, Field(description="Number of runs that it executes now.")]
    agents: list[str]
    alive: Annotated[bool, Field(description="Whether its lease is valid.")]
    draining: bool
    consuming: Annotated[
        bool, Field(description="Whether it consumed from the broker's queue in the last ten seconds.")
    ]
    startedAt: Moment | None
    leaseUntil: Moment | None


class WorkerList(TypedDict):
    """The workers that are not declared dead."""

    workers: list[WorkerBody]


class DrainBody(TypedDict):
    """A worker that was asked to drain."""

    id: str
    draining: bool


class WindowNow(TypedDict):
    """Present state of a window."""

    open: Annotated[bool, Field(description="Whether runs may start or resume now.")]
    until: Annotated[Moment | None, Field(description="When this changes; null: beyond the searched time.")]


class QueueCapacity(TypedDict):
    """Capacity of a queue, over all tenants."""

    queue: str
    workers: int
    slots: int
    limit: Annotated[int | None, Field(description="Configured limit of concurrent runs in flight; null for no limit.")]
    inFlight: Annotated[int, Field(description="Leases and tickets.")]
    executing: Annotated[int, Field(description="Leases.")]
    queued: Annotated[int, Field(description="Runs that wait for promotion, including blocked ones.")]
    blocked: Annotated[
        int,
        Field(
            description="Queued runs with a blocker of their own: `notBefore`, a place of their `concurrencyKey` or tenant, "
            "an earlier run of their schedule, a user's pause. More workers would not help them."
        ),
    ]
    parked: int
    paused: bool
    cordoned: Annotated[bool, Field(description="Whether new runs are held back.")]
    window: Annotated[str | None, Field(description="The window that gates all of its runs.")]
    nextWindow: Annotated[WindowNow | None, Field(description="State of that window; null without a window.")]


class Capacity(TypedDict):
    """The capacity of every queue."""

    queues: list[QueueCapacity]


class RateBody(TypedDict):
    """Rate of new runs of a queue."""

    limit: Annotated[int, Field(description="Maximum number of new runs that start within any span.")]
    per: Annotated[str, Field(description="The span, ISO 8601.")]


class QueueBody(TypedDict):
    """Settings of a queue."""

    name: str
    limit: Annotated[int | None, Field(description="Concurrent runs in flight; null for no limit.")]
    tenantLimit: Annotated[int | None, Field(description="Concurrent runs of one tenant in flight.")]
    keyLimit: Annotated[int, Field(description="Concurrent runs of one tenant and `concurrencyKey`.")]
    holdKeys: Annotated[bool, Field(description="Whether a parked run keeps the place of its key.")]
    rate: RateBody | None
    weights: Annotated[
        dict[str, float],
        Field(description="By tenant; others have weight 1. A key without `operate` sees only its own tenant's."),
    ]
    cordoned: Annotated[bool, Field(description="Whether new runs are held back.")]
    paused: Annotated[bool, Field(description="Whether all of its runs are held.")]
    window: Annotated[str | None, Field(description="The window that gates all of its runs.")]


class QueueList(TypedDict):
    """All queues, by name."""

    queues: list[QueueBody]
