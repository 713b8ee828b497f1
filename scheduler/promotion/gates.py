"""Gates of promotion: only runs of open windows, unpaused queues and unpaused agents may be promoted.

A window gates the runs that name it, the runs of a queue that names it, and the runs of an agent that names it. A run may be
promoted only while all of them are open. A gated class is never read, so it costs nothing however many runs it has.

The configuration is read four times a second at most. Changes by a window's own times are seen on time, by the database's
clock.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.calendar.window_state import Standings
from models.calendar.window_times import Standing
from models.runtime.database import Connection, Row
from models.runtime.facts import fact
from scheduler.promotion.headroom import Rule

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
_UNKNOWN = Standing(False, None)  # a window whose time zone this machine does not know stays closed


@dataclass(frozen=True, slots=True)
class Gates:
    """Windows, queues and agents that are closed now; `changes_in` is the number of seconds until that may change.

    `pausing` are the closed windows that park executing runs, with the queues and agents that each of them gates. `rules` and
    `agent_limits` are the other limits of queues and agents.
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
        """Return the window names whose runs may be promoted: no window, and the open ones."""
        return ["", *self.open]

    def serving(self, agents: Iterable[str]) -> list[str]:
        """Return those of the agents whose runs may be promoted."""
        return [agent for agent in agents if agent not in self.agents]

    @property
    def any_closed(self) -> bool:
        """Whether any gate is closed."""
        return bool(self.closed or self.queues or self.agents)


@dataclass(frozen=True, slots=True)
class _Window:
    """The columns of a window that decide whether it is open."""

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
        self._reported: dict[str, bool] = {}

    def read(self, connection: Connection) -> Gates:
        """Return what is closed now."""
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
        standings = {window.name: self._standing(window, now) for window in self._windows}
        closed = frozenset(name for name, standing in standings.items() if not standing.open)
        pausing = frozenset(
            window.name for window in self._windows if window.name in closed and window.on_close == "pause"
        )
        ends = [(standing.until - now).total_seconds() for standing in standings.values() if standing.until]
        return Gates(
            closed=closed,
            open=tuple(name for name in standings if name not in closed),
            queues=_closed(self._queues, closed),
            agents=_closed(self._agents, closed),
            pausing=pausing,
            pausing_queues=_gated(self._queues, pausing),
            pausing_agents=_gated(self._agents, pausing),
            changes_in=max(0.0, min(ends, default=3600.0)),
            rules={row["name"]: Rule.of(row) for row in self._queues},
            agent_limits={row["name"]: row["run_limit"] for row in self._agents if row["run_limit"] is not None},
        )

    def _standing(self, window: _Window, now: datetime) -> Standing:
        try:
            found = self._standings.of(window, now)
        except ValueError as error:
            found = _UNKNOWN
            if self._reported.get(window.name) is not False:
                fact("window.unusable", level="error", window=window.name, why=error)
        if self._reported.get(window.name) != found.open:
            self._reported[window.name] = found.open
            fact("window.open" if found.open else "window.closed", window=window.name, until=found.until)
        return found


def _closed(rows: Iterable[Row], windows: frozenset[str]) -> frozenset[str]:
    return frozenset(row["name"] for row in rows if row["paused"] or row["window_name"] in windows)


def _gated(rows: Iterable[Row], windows: frozenset[str]) -> dict[str, str]:
    return {row["name"]: row["window_name"] for row in rows if row["window_name"] in windows}
