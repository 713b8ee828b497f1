"""Values about a run and everything that it needs to continue, read in one snapshot."""

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
"""Bound of counts that could reach a million."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number; with `more`, the true number is larger."""

    number: int
    more: bool = False

    @classmethod
    def of(cls, number: int) -> "Count":
        """Return the count of a counted number, or of a sum of such numbers."""
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
    """All windows, and their state at this moment."""

    now: datetime
    by_name: Mapping[str, Window] = field(default_factory=dict)

    def standing(self, name: str) -> Standing:
        """Return the state of a window; a missing one, or one with an unknown zone, is closed."""
        try:
            return standing(self.by_name[name], self.now)
        except (KeyError, ValueError):
            return Standing(False, None)

    def closed(self, name: str | None) -> bool:
        """Return whether an existing window is closed; for queues and agents, a missing window does not gate."""
        return name is not None and name in self.by_name and not self.standing(name).open

    @property
    def open(self) -> list[str]:
        """The names of the open windows."""
        return [name for name in self.by_name if self.standing(name).open]


@dataclass(frozen=True, slots=True)
class Leased:
    """The worker that leases a run; `lost` if its lease expired or it was declared dead, at `lost_at`."""

    id: UUID
    name: str
    lost: bool
    lost_at: datetime


@dataclass(frozen=True, slots=True)
class Paused:
    """A user's pause of a run: by whom, when, and with which comment."""

    by: str | None
    comment: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class SlotHeld:
    """Everything that keeps the slot of a waiting agent, as its host reported: each with `kind`, `what`, `file`, `line`."""

    by: Sequence[Mapping[str, Any]]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A run that waits, parked or executing. `waits` are its open waits, `more` the number of those left out."""

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
    """A worker of the queue with a valid lease, and the number of runs that it executes."""

    id: UUID
    name: str
    agents: Sequence[str]
    slots: int
    leased: int
    draining: bool
    consuming: bool

    @property
    def offers(self) -> bool:
        """Whether the scheduler counts its slots."""
        return self.consuming and not self.draining and bool(self.agents)


@dataclass(frozen=True, slots=True)
class InFlight:
    """Number of an agent's runs that hold tickets or leases in a queue."""

    queue: str
    agent: str
    runs: int
    tickets: int


@dataclass(frozen=True, slots=True)
class AgentRule:
    """Operator settings of an agent."""

    name: str
    paused: bool = False
    window: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The line of a run: its held places, some of their holders, and the number of runs ahead."""

    name: str
    held: int
    holders: Sequence[Named]
    ahead: Count


@dataclass(frozen=True, slots=True)
class Overlap:
    """The schedule of a run, and its earlier runs that have not ended."""

    schedule: str
    earlier: Sequence[Named]


@dataclass(frozen=True, slots=True)
class Ready:
    """A run that is neither parked nor leased, and everything that may hold it.

    `starts` are the new runs that the queue's rate counts: the time and the number of starts of each rate slot.
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
        """The settings of the run's own agent."""
        return self.agents.get(self.run.agent, AgentRule(self.run.agent))

    @property
    def competes(self) -> bool:
        """Whether the run is in the ready index: not blocked, without a control request, and not promoted yet."""
        run = self.run
        return run.blocked_on is None and run.control_request is None and run.ticket_at is None

    @property
    def offering(self) -> list[Serving]:
        """The workers whose slots the scheduler counts."""
        return [worker for worker in self.workers if worker.offers]

    @property
    def since(self) -> datetime | None:
        """The time since when the run has been waiting, as far as its row shows."""
        moments = [at for at in (self.run.ready_at, self.run.not_before) if at is not None and at <= self.now]
        return max(moments, default=None)


@dataclass(frozen=True, slots=True)
class Ahead:
    """Numbers of ready runs that compete with a run, of two kinds: new ones, and resumed ones.

    `higher`: with a higher priority. `same`: same priority and kind, before it. `other`: same priority, of the other kind.
    """

    higher: int
    same: int
    other: int
