"""What is known of a run, and of what it needs to go on, at one moment: values that were read in one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from models.calendar.window_state import standing
from models.calendar.window_times import Standing
from models.tables.queue import Queue
from models.tables.run import Run
from models.tables.wait import Wait
from models.tables.window import Window

MOST_COUNTED = 10_000
"""Where the counting of what may be a million stops."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number, or with `more` that it is larger than that."""

    number: int
    more: bool = False

    @classmethod
    def of(cls, number: int) -> "Count":
        """Make one of what was counted, or of a sum of such numbers."""
        return cls(min(number, MOST_COUNTED), number > MOST_COUNTED)

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.more else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Named:
    """Another run of the same tenant."""

    id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class Windows:
    """All windows, and where they stand at this moment."""

    now: datetime
    by_name: Mapping[str, Window] = field(default_factory=dict)

    def standing(self, name: str) -> Standing:
        """Say where a window stands; one that is not there, or whose zone is not known, lets nothing go."""
        try:
            return standing(self.by_name[name], self.now)
        except (KeyError, ValueError):
            return Standing(False, None)

    def closed(self, name: str | None) -> bool:
        """Whether a window of this name is closed; for a queue and an agent, one that is not there is not."""
        return name is not None and name in self.by_name and not self.standing(name).open

    @property
    def open(self) -> list[str]:
        """Name those that are open."""
        return [name for name in self.by_name if self.standing(name).open]


@dataclass(frozen=True, slots=True)
class Leased:
    """The worker that a run is leased to; `lost` when its lease is over or it was declared dead, at `lost_at`."""

    id: UUID
    name: str
    lost: bool
    lost_at: datetime


@dataclass(frozen=True, slots=True)
class Paused:
    """Who paused a run, when, and what they said about it."""

    by: str | None
    comment: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class SlotHeld:
    """What keeps the slot of an agent that only waits, as its host said, each with `kind`, `what`, `file` and `line`."""

    by: Sequence[Mapping[str, Any]]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A run that waits, parked or executing. `waits` are the open waits that it awaits, `more` the number of those left out."""

    now: datetime
    run: Run
    windows: Windows
    led: bool = True
    paused: Paused | None = None
    waits: Sequence[Wait] = ()
    more: int = 0
    children: Mapping[UUID, str] = field(default_factory=dict)
    slot: SlotHeld | None = None

    @property
    def executing(self) -> bool:
        """Whether a worker executes it while it waits."""
        return self.run.lease_worker is not None


@dataclass(frozen=True, slots=True)
class Serving:
    """A worker of the queue whose lease holds, and how many runs it executes."""

    id: UUID
    name: str
    agents: Sequence[str]
    slots: int
    leased: int
    draining: bool
    consuming: bool

    @property
    def offers(self) -> bool:
        """Whether the scheduler counts on it."""
        return self.consuming and not self.draining and bool(self.agents)


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many runs of an agent hold tickets or leases in a queue."""

    queue: str
    agent: str
    runs: int
    tickets: int


@dataclass(frozen=True, slots=True)
class AgentRule:
    """What ops said of an agent."""

    name: str
    paused: bool = False
    window: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The line that a run waits in: its places, who holds some of them, and how many wait before the run."""

    name: str
    held: int
    holders: Sequence[Named]
    ahead: Count


@dataclass(frozen=True, slots=True)
class Overlap:
    """The schedule that made a run, and earlier runs of it that have not ended."""

    schedule: str
    earlier: Sequence[Named]


@dataclass(frozen=True, slots=True)
class Ready:
    """A run that is neither parked nor leased, and all that may be in its way.

    `starts` are the new runs that the queue's rate counts: when each slot ends, and how many it counted.
    """

    now: datetime
    run: Run
    queue: Queue
    windows: Windows
    agents: Mapping[str, AgentRule]
    led: bool = True
    workers: Sequence[Serving] = ()
    in_flight: Sequence[InFlight] = ()
    starts: Sequence[tuple[datetime, int]] = ()
    line: Line | None = None
    overlap: Overlap | None = None

    @property
    def agent(self) -> AgentRule:
        """Give what was said of the run's own agent."""
        return self.agents.get(self.run.agent, AgentRule(self.run.agent))

    @property
    def competes(self) -> bool:
        """Whether the run is in the ready index: held by nothing of its own, and not promoted yet."""
        run = self.run
        return run.blocked_on is None and run.control_request is None and run.ticket_at is None

    @property
    def offering(self) -> list[Serving]:
        """Give the workers that the scheduler counts on."""
        return [worker for worker in self.workers if worker.offers]

    @property
    def since(self) -> datetime | None:
        """Say since when the run has been waiting, as far as its row knows."""
        moments = [at for at in (self.run.ready_at, self.run.not_before) if at is not None and at <= self.now]
        return max(moments, default=None)


@dataclass(frozen=True, slots=True)
class Ahead:
    """Ready runs that compete with one: of a higher priority, and of the same, before it in its own kind and of the other.

    The kinds are new runs and those that had started.
    """

    higher: int
    same: int
    other: int
