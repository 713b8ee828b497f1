"""Who does the work: agents, workers, queues and their capacity."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.words import Id, Moment


class AgentBody(TypedDict):
    """An agent, whether or not a worker serves it now."""

    name: str
    description: str | None
    queue: str
    version: str
    inputSchema: dict[str, Any]
    timeout: Annotated[str | None, Field(description="Its own default active time, ISO 8601.")]
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


class QueueCapacity(TypedDict):
    """How busy a queue is, over all tenants."""

    queue: str
    workers: int
    slots: int
    inFlight: Annotated[int, Field(description="Leases and tickets.")]
    executing: Annotated[int, Field(description="Leases.")]
    queued: Annotated[int, Field(description="Runs that are ready and wait for a slot.")]
    parked: int


class Capacity(TypedDict):
    """The capacity of every queue."""

    queues: list[QueueCapacity]


class QueueBody(TypedDict):
    """What ops said of a queue."""

    name: str
    paused: bool
    window: str | None


class QueueList(TypedDict):
    """All queues, by name."""

    queues: list[QueueBody]
