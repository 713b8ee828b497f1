"""Headroom of a queue: how many more runs its workers can take now, less what its limits and its rate forbid.

Runs in flight, leased or with a ticket, are counted by their own index, and only where a limit needs the count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.runtime.database import Connection, Row
from scheduler.promotion.candidates import Candidate

SLOTS_OF_A_RATE = 100

_IN_FLIGHT = """
    SELECT queue, agent, count(*)::int AS runs FROM run WHERE ticket_at IS NOT NULL OR lease_worker IS NOT NULL
    GROUP BY queue, agent
    """
_STARTED = """
    SELECT coalesce(sum(starts), 0)::int AS starts,
        extract(epoch FROM min(at) - now())::float + %(per_s)s::float AS next_in
    FROM rate_slot WHERE queue = %(queue)s AND at > now() - %(per_s)s * interval '1 s'
    """


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` new runs start within any span of `per_s` seconds."""

    limit: int
    per_s: float

    @property
    def slot_s(self) -> float:
        """The length of the slots in which starts are counted."""
        return self.per_s / SLOTS_OF_A_RATE


@dataclass(frozen=True, slots=True)
class Rule:
    """The limits of one queue; None: no limit. A cordoned queue starts no new runs; those that had started continue."""

    cordoned: bool = False
    limit: int | None = None
    tenant_limit: int | None = None
    rate: Rate | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Row) -> "Rule":
        """Return the rule of a queue's row."""
        rate = Rate(row["rate"]["limit"], row["rate"]["per_ms"] / 1000) if row["rate"] else None
        return cls(row["cordoned"], row["run_limit"], row["tenant_limit"], rate, row["weights"] or {})


@dataclass(slots=True)
class Room:
    """Room for `total` runs, for `new` among them (None: for all), and for so many of each limited agent.

    `changes_in` is the number of seconds after which a rate may allow more.
    """

    total: int
    new: int | None = None
    agents: dict[str, int] = field(default_factory=dict)
    changes_in: float = 3600.0

    def takes(self, run: Candidate) -> bool:
        """Return whether there is room for this run."""
        return (
            self.total > 0 and (run.resumed or self.new is None or self.new > 0) and self.agents.get(run.agent, 1) > 0
        )

    def take(self, run: Candidate) -> None:
        """Count a run that is promoted."""
        self.total -= 1
        if not run.resumed and self.new is not None:
            self.new -= 1
        if run.agent in self.agents:
            self.agents[run.agent] -= 1

    @property
    def kinds(self) -> list[bool]:
        """Kinds of runs that there is room for: those that had started (True), and new ones (False)."""
        return [True] if self.new is not None and self.new <= 0 else [False, True]


def read_room(connection: Connection, queue: str, free: int, rule: Rule, agent_limits: Mapping[str, int]) -> Room:
    """Read the room of a queue whose workers can take `free` runs."""
    room = Room(free)
    if rule.limit is not None or agent_limits:
        rows = connection.execute(_IN_FLIGHT).fetchall()
        if rule.limit is not None:
            room.total = min(free, rule.limit - sum(row["runs"] for row in rows if row["queue"] == queue))
        for agent, limit in agent_limits.items():
            room.agents[agent] = limit - sum(row["runs"] for row in rows if row["agent"] == agent)
    if rule.cordoned:
        room.new = 0
    elif rule.rate:
        room.new, room.changes_in = _left(connection, queue, rule.rate)
    return room


def _left(connection: Connection, queue: str, rate: Rate) -> tuple[int, float]:
    row = connection.execute(_STARTED, {"queue": queue, "per_s": rate.per_s}).fetchone()
    assert row is not None
    left = max(0, rate.limit - row["starts"])
    return left, 3600.0 if left or row["next_in"] is None else max(0.0, row["next_in"])
