"""Who does the work: agents, workers, queues and their capacity."""

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
    timeout: Annotated[str | None, Field(description="Its own default active time, ISO 8601.")]
    limit: Annotated[int | None, Field(description="Runs in flight at once; null: no limit of its own.")]
    paused: Annotated[bool, Field(description="Whether its runs are held back.")]
    window: Annotated[str | None, Field(description="The window that gates its runs.")]
    workers: Annotated[int, Field(description="Live workers that serve it.")]
    slots: Annotated[int, Field(description="Their slots together.")]
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
    leased: Annotated[int, Field(description="Runs that it executes now.")]
    agents: list[str]
    alive: Annotated[bool, Field(description="Whether its lease holds.")]
    draining: bool
    consuming: Annotated[bool, Field(description="Whether it took part in the broker's queue in the last ten seconds.")]
    startedAt: Moment | None
    leaseUntil: Moment | None


class WorkerList(TypedDict):
    """The workers that have not been declared dead."""

    workers: list[WorkerBody]


class DrainBody(TypedDict):
    """A worker that was asked to drain."""

    id: str
    draining: bool


class WindowNow(TypedDict):
    """Where a window stands."""

    open: Annotated[bool, Field(description="Whether it lets runs go now.")]
    until: Annotated[Moment | None, Field(description="When that changes; null: further away than was looked.")]


class QueueCapacity(TypedDict):
    """How busy a queue is, over all tenants."""

    queue: str
    workers: int
    slots: int
    limit: Annotated[int | None, Field(description="Runs in flight at once, by what ops said; null: the slots alone.")]
    inFlight: Annotated[int, Field(description="Leases and tickets.")]
    executing: Annotated[int, Field(description="Leases.")]
    queued: Annotated[int, Field(description="Runs that wait to be promoted, the blocked ones included.")]
    blocked: Annotated[
        int,
        Field(
            description="Those of the queued that something of their own holds back: `notBefore`, a place of their "
            "`concurrencyKey` or tenant, the run before theirs, a user's pause. More workers would not help them."
        ),
    ]
    parked: int
    paused: bool
    cordoned: Annotated[bool, Field(description="Whether new runs are held back.")]
    window: Annotated[str | None, Field(description="The window that gates all of its runs.")]
    nextWindow: Annotated[WindowNow | None, Field(description="Where that window stands; null without one.")]


class Capacity(TypedDict):
    """The capacity of every queue."""

    queues: list[QueueCapacity]


class RateBody(TypedDict):
    """How fast new runs of a queue start."""

    limit: Annotated[int, Field(description="New runs that start within any span, at most.")]
    per: Annotated[str, Field(description="The span, ISO 8601.")]


class QueueBody(TypedDict):
    """What ops said of a queue."""

    name: str
    limit: Annotated[int | None, Field(description="Runs in flight at once; null: the slots alone.")]
    tenantLimit: Annotated[int | None, Field(description="Runs of one tenant in flight at once.")]
    keyLimit: Annotated[int, Field(description="Runs of one tenant and `concurrencyKey` that execute at once.")]
    holdKeys: Annotated[bool, Field(description="Whether a run that parks keeps the place of its key.")]
    rate: RateBody | None
    weights: Annotated[
        dict[str, float],
        Field(description="By tenant; who is not named weighs 1. A key without `operate` sees its own tenant's alone."),
    ]
    cordoned: Annotated[bool, Field(description="Whether new runs are held back.")]
    paused: Annotated[bool, Field(description="Whether all of its runs are held back.")]
    window: Annotated[str | None, Field(description="The window that gates all of its runs.")]


class QueueList(TypedDict):
    """All queues, by name."""

    queues: list[QueueBody]
