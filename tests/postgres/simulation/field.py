"""The field of one simulation: its rows in a database, and the facts kept beside it. Fields follow one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from models.calendar import windows
from models.fleet import queue_settings, workers
from models.ids import new_id
from tests.postgres.simulation.layout import Layout, WindowOf, WorkerOf
from tests.postgres.virtual_time import Clock

Row = dict[str, Any]
QUIET: dict[str, Any] = {
    "limit": None, "tenant_limit": None, "key_limit": 1, "hold_keys": False, "rate": None, "weights": None, "cordoned": False,
    "paused": False, "window": None,
}  # fmt: skip
AT_EASE: dict[str, Any] = {"limit": None, "paused": False, "window": None}
LEASE_S = 15.0
SEEN = """id, tenant, queue, agent, window_name, status, pause_kind, reason, resumed, ready_at, blocked_on, not_before, inbox,
    concurrency_key, on_conflict, epoch, ticket_at, lease_worker, control_request, control_reason, started_at, finished_at"""
_RUNS = f"SELECT {SEEN} FROM run WHERE queue = ANY(%s) AND finished_at IS NULL ORDER BY id"
_RENEW = """UPDATE worker SET lease_until = now() + %s * interval '1 s', consuming_at = now()
    WHERE id = ANY(%s) AND dead_at IS NULL"""
_OF_RUNS = ("place", "place_change", "expiry", "wait", "event", "payload")
_FORGET = (
    *(f"DELETE FROM {table} USING run WHERE run.id = {table}.run_id AND run.queue = ANY(%(queues)s)" for table in _OF_RUNS),
    "DELETE FROM run WHERE queue = ANY(%(queues)s)", "DELETE FROM place_change WHERE queue = ANY(%(queues)s)",
    "DELETE FROM worker WHERE queue = ANY(%(queues)s)", "DELETE FROM queue WHERE name = ANY(%(queues)s)",
    *(f"DELETE FROM {table} WHERE queue = ANY(%(queues)s)" for table in ("tenant_share", "tenant_tag", "virtual_time")),
    "DELETE FROM rate_slot WHERE queue = ANY(%(queues)s)",
    "DELETE FROM agent WHERE name = ANY(%(agents)s)", 'DELETE FROM "window" WHERE name = ANY(%(windows)s)',
)  # fmt: skip


class Field:
    """All names carry a mark of this field: `q0` is `q0.<mark>` in the database, and `q0` in the story."""

    def __init__(self, connection: psycopg.Connection[Row], clock: Clock, layout: Layout) -> None:
        self.connection, self.clock, self.layout = connection, clock, layout
        self.mark = new_id().hex
        self.queues = [self.real(name) for name in layout.queues]
        self.rules = {name: dict(QUIET) for name in self.queues}
        self.agents: dict[str, Row] = {
            self.real(name): {"limit": None, "paused": False, "window": None} for name in layout.agents
        }
        self.windows: dict[str, WindowOf] = {self.real(name): window for name, window in layout.windows.items()}
        self.overrides: dict[str, tuple[bool, datetime]] = {}
        self.workers: dict[UUID, WorkerOf] = {}
        self.silent: set[UUID] = set()
        self.short: dict[UUID, str] = {}
        self.story: list[str] = []
        self._set_out()

    def _set_out(self) -> None:
        for name, window in self.windows.items():
            put = windows.put(
                name, cron=f"*/{window.every} * * * *", duration_ms=window.minutes * 60_000, timezone=window.zone,
                kind=window.kind, on_close=window.on_close, by="ann",
            )  # fmt: skip
            assert put.one(self.connection)
        for name in self.agents:
            workers.know_agent(
                name, queue=self.queues[0], version="1", description=None, schema="{}", timeout_ms=None
            ).one(self.connection)
        for name, asked in self.layout.queues.items():
            self.say_of_queue(self.real(name), asked)
        for name, asked in self.layout.agents.items():
            self.say_of_agent(self.real(name), asked)
        for worker in self.layout.workers:
            self.start(worker)

    # ------------------------------------------------------------------------------------------------------------ names
    def real(self, name: str) -> str:
        return f"{name}.{self.mark}"

    def tell(self, text: str, *runs: UUID) -> None:
        """Add a line to the story; runs are named by numbers."""
        for run in runs:
            self.short.setdefault(run, f"r{len(self.short)}")
        named = " ".join(self.short[run] for run in runs)
        self.story.append(f"{self.clock.now:%H:%M:%S} {text} {named}".replace(f".{self.mark}", "").rstrip())

    # ------------------------------------------------------------------------------------------------- what people say
    def say_of_queue(self, queue: str, asked: Mapping[str, Any]) -> None:
        """Change a queue as the API does."""
        given = {**asked, **({"window": self.real(asked["window"])} if asked.get("window") else {})}
        with self.connection.transaction():
            queue_settings.change_queue(self.connection, queue, given)
        self.rules[queue] |= given
        if asked:
            self.tell(f"{queue} is told {dict(asked)}")

    def say_of_agent(self, agent: str, asked: Mapping[str, Any]) -> None:
        """Change an agent as the API does."""
        given = {**asked, **({"window": self.real(asked["window"])} if asked.get("window") else {})}
        with self.connection.transaction():
            queue_settings.change_agent(self.connection, agent, given)
        self.agents[agent] |= given
        if asked:
            self.tell(f"{agent} is told {dict(asked)}")

    def hold(self, window: str, *, is_open: bool, seconds: float) -> None:
        """Override a window."""
        until, state = self.clock.now + timedelta(seconds=seconds), "open" if is_open else "closed"
        assert windows.override(window, state=state, until=until, by="ann", reason=None).one(self.connection)
        self.overrides[window] = (is_open, until)
        self.tell(f"{window} is held {state} for {seconds} s")

    def is_open(self, window: str | None) -> bool:
        """Return whether a window lets runs start now, by its settings and not by the database."""
        if not window:
            return True
        state, until = self.overrides.get(window, (False, datetime.min.replace(tzinfo=UTC)))
        return state if until > self.clock.now else self.windows[window].open(self.clock.now)

    # ---------------------------------------------------------------------------------------------------------- workers
    def start(self, of: WorkerOf) -> UUID:
        """Register a worker with what it serves."""
        worker, queue = new_id(), self.real(of.queue)
        workers.register(
            worker, name="w", host="h", pid=1, queue=queue, slots=of.slots, liveness_key=1, lease_s=LEASE_S
        ).one(self.connection)
        workers.serve(worker, [self.real(agent) for agent in of.agents]).one(self.connection)
        self.workers[worker] = of
        self.renew()
        self.tell(f"a worker of {of.queue} with {of.slots} slots for {', '.join(of.agents)} starts")
        return worker

    def renew(self) -> None:
        """Renew the leases of all workers, except those that are cut off."""
        self.connection.execute(_RENEW, [LEASE_S, [*self.workers.keys() - self.silent]])

    def offering(self) -> list[Row]:
        """Return the workers that take runs now."""
        sql = """SELECT * FROM worker WHERE queue = ANY(%s) AND dead_at IS NULL AND NOT draining
            AND lease_until > %s AND consuming_at > %s ORDER BY id"""
        long_ago = self.clock.now - timedelta(seconds=10)
        return self.connection.execute(sql, [self.queues, self.clock.now, long_ago]).fetchall()

    def passes(self, seconds: float) -> None:
        """Advance the time; the workers renew their leases in it."""
        self.clock.passes(seconds)
        self.renew()

    # ------------------------------------------------------------------------------------------------------------- runs
    def runs(self) -> list[Row]:
        """Return all runs that have not ended."""
        return self.connection.execute(_RUNS, [self.queues]).fetchall()

    def has_changes(self) -> bool:
        """Return whether there are changes that the leader has not read."""
        return self.connection.execute("SELECT FROM place_change LIMIT 1").fetchone() is not None

    def some(self, dice: Random, runs: Iterable[Row], most: int = 1) -> list[Row]:
        """Return a few of these runs."""
        known = list(runs)
        return dice.sample(known, min(len(known), dice.randint(1, most)))

    @contextmanager
    def held_rows(self, runs: Iterable[Row]) -> Iterator[None]:
        """Lock these runs in another connection for the duration of the block, and leave them unchanged."""
        with psycopg.connect(self.connection.info.dsn, row_factory=dict_row) as other:
            ids = [run["id"] for run in runs]
            other.execute("SELECT FROM run WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
            yield
            other.rollback()

    def forget(self) -> None:
        """Leave nothing behind that the duties would read."""
        named = {"queues": self.queues, "agents": list(self.agents), "windows": list(self.windows)}
        for sql in _FORGET:
            self.connection.execute(sql, named)
