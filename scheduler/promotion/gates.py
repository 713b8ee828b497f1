"""Which classes of runs may be promoted now: those of no closed window, no paused queue and no paused agent.

A window gates the runs that name it, the runs of a queue that names it, and the runs of an agent that names it; a run goes
only while all of them are open. A class that may not go is never read, so that it costs nothing however many runs it has.

What was configured is read four times a second at most; where a window's own time decides, the change is seen in time,
by the database's clock.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.calendar.window_state import Standings
from models.calendar.window_times import Standing
from models.runtime.database import Connection, Row
from models.runtime.facts import fact
from scheduler.promotion.queue_rules import Rule, rule

FRESH_SECONDS = 0.25

_WINDOWS = (
    'SELECT name, cron, timezone, duration_ms, kind, override, override_until, on_close FROM "window" ORDER BY name'
)
_QUEUES = """
    SELECT name, paused, window_name, cordoned, run_limit, tenant_limit, rate, weights FROM queue
    WHERE paused OR window_name IS NOT NULL OR cordoned OR coalesce(run_limit, tenant_limit) IS NOT NULL
        OR rate IS NOT NULL OR weights IS NOT NULL
    """
_AGENTS = """
    SELECT name, paused, window_name, run_limit FROM agent
    WHERE paused OR window_name IS NOT NULL OR run_limit IS NOT NULL
    """
_UNKNOWN = Standing(False, None)  # a window whose zone this machine does not know lets nothing go


@dataclass(frozen=True, slots=True)
class Gates:
    """What is closed now; `changes_in` is the number of seconds after which that may be another.

    `pausing` are the closed windows that park executing runs, with the queues and agents that each of them gates. `rules` and
    `agent_limits` are what else holds queues and agents back.
    """

    closed: frozenset[str] = frozenset()
    open: tuple[str, ...] = ()
    queues: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    changes_in: float = 3600.0
    pausing: frozenset[str] = frozenset()
    pausing_queues: Mapping[str, str] = field(default_factory=dict)
    pausing_agents: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    agent_limits: Mapping[str, int] = field(default_factory=dict)

    def windows(self) -> list[str]:
        """Name the classes of windows that may go: none, and the open ones."""
        return ["", *self.open]

    def serving(self, agents: Iterable[str]) -> list[str]:
        """Leave out the agents that may not go."""
        return [agent for agent in agents if agent not in self.agents]

    @property
    def any_closed(self) -> bool:
        """Whether anything at all is held back."""
        return bool(self.closed or self.queues or self.agents)


@dataclass(frozen=True, slots=True)
class _Window:
    """What is read of a window."""

    name: str
    cron: str
    timezone: str
    duration_ms: int
    kind: str
    override: str | None
    override_until: datetime | None
    on_close: str


class GateReader:
    """Reads the gates for the duties of one leader."""

    def __init__(self) -> None:
        self._standings = Standings()
        self._windows: list[_Window] = []
        self._queues: list[Row] = []
        self._agents: list[Row] = []
        self._read_at = float("-inf")
        self._now: datetime | None = None
        self._said: dict[str, bool] = {}

    def read(self, connection: Connection) -> Gates:
        """Say what is closed now."""
        if self._now is None or time.monotonic() >= self._read_at + FRESH_SECONDS:
            self._configured(connection)
        return self._gates()

    def _configured(self, connection: Connection) -> None:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None
        self._now, self._read_at = row["now"], time.monotonic()
        self._windows = [_Window(**window) for window in connection.execute(_WINDOWS).fetchall()]
        self._queues = connection.execute(_QUEUES).fetchall()
        self._agents = connection.execute(_AGENTS).fetchall()

    def _gates(self) -> Gates:
        assert self._now is not None
        now = self._now + timedelta(seconds=time.monotonic() - self._read_at)
        stand = {window.name: self._standing(window, now) for window in self._windows}
        closed = frozenset(name for name, standing in stand.items() if not standing.open)
        pausing = frozenset(
            window.name for window in self._windows if window.name in closed and window.on_close == "pause"
        )
        ends = [(standing.until - now).total_seconds() for standing in stand.values() if standing.until]
        return Gates(
            closed=closed,
            open=tuple(name for name in stand if name not in closed),
            queues=_closed(self._queues, closed),
            agents=_closed(self._agents, closed),
            pausing=pausing,
            pausing_queues=_gated(self._queues, pausing),
            pausing_agents=_gated(self._agents, pausing),
            changes_in=max(0.0, min(ends, default=3600.0)),
            rules={row["name"]: rule(row) for row in self._queues},
            agent_limits={row["name"]: row["run_limit"] for row in self._agents if row["run_limit"] is not None},
        )

    def _standing(self, window: _Window, now: datetime) -> Standing:
        try:
            found = self._standings.of(window, now)
        except ValueError as error:
            found = _UNKNOWN
            if self._said.get(window.name) is not False:
                fact("window.unusable", level="error", window=window.name, why=error)
        if self._said.get(window.name) != found.open:
            self._said[window.name] = found.open
            fact("window.open" if found.open else "window.closed", window=window.name, until=found.until)
        return found


def _closed(rows: Iterable[Row], windows: frozenset[str]) -> frozenset[str]:
    return frozenset(row["name"] for row in rows if row["paused"] or row["window_name"] in windows)


def _gated(rows: Iterable[Row], windows: frozenset[str]) -> dict[str, str]:
    return {row["name"]: row["window_name"] for row in rows if row["window_name"] in windows}
