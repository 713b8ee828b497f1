"""Several connections that decide about runs, statement by statement, in exactly the order that a test chooses.

Each lane executes its work in a thread of its own, on a connection that stops before every statement until the test
releases it. A statement that waits for another lane's lock is found in `pg_locks`; the test continues with the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import psycopg
from psycopg.rows import dict_row

PATIENCE_S = 20
Connection = psycopg.Connection[dict[str, Any]]
Act = Callable[[Connection], Any]


class Stopping(psycopg.Connection[Any]):
    """A connection that asks before every statement, once a lane has taken it over."""

    before: Callable[[str], None] | None = None
    decided = ""
    """What the transaction says that is about to end (see `acts`)."""


class Cursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        connection = self.connection
        assert isinstance(connection, Stopping)
        if connection.before:
            connection.before(query)
        return super().execute(query, *args, **kwargs)


class Lane:
    """One connection with its thread; `next` is the statement before which it has stopped, None without work."""

    def __init__(self, url: str) -> None:
        self.connection = Stopping.connect(url, autocommit=True, row_factory=dict_row, cursor_factory=Cursor)
        self.connection.execute("SET lock_timeout = '10s'")
        self.connection.before = self._stand
        self.pid = self.connection.info.backend_pid
        self.next: str | None = None
        self.run_state = threading.Event()
        self.run_state.set()
        self.said: Any = None
        self._error: BaseException | None = None
        self._may_go = threading.Semaphore(0)
        self._given: SimpleQueue[Act | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self, act: Act) -> None:
        """Start work on the lane, up to its first statement."""
        assert self.next is None
        self.run_state.clear()
        self._given.put(act)
        self.run_state.wait(PATIENCE_S)

    def go(self) -> None:
        """Execute the next statement of the lane; `Lanes.settle` waits until it is through or waits itself."""
        self.run_state.clear()
        self._may_go.release()

    def check(self) -> None:
        """Raise the exception of the lane."""
        if self._error:
            raise self._error

    def close(self) -> None:
        self._given.put(None)
        self._thread.join(PATIENCE_S)
        self.connection.close()

    def _stand(self, sql: str) -> None:
        self.next = sql
        self.run_state.set()
        self._may_go.acquire()

    def _run(self) -> None:
        while (act := self._given.get()) is not None:
            try:
                self.said = act(self.connection)
            except BaseException as error:  # noqa: BLE001  `check` raises it again
                self._error = error
            self.next = None
            self.run_state.set()


class Lanes:
    """Some lanes, and a connection that finds which of them wait."""

    def __init__(self, url: str, count: int) -> None:
        self.lanes = [Lane(url) for _ in range(count)]
        self.watcher: Connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self.watcher.prepare_threshold = 0

    def close(self) -> None:
        for lane in self.lanes:
            lane.close()
        self.watcher.close()

    def settle(self) -> None:
        """Return once every lane has stopped before a statement, has no work, or waits for another's lock."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._settled():
            assert time.monotonic() < deadline, "a lane neither comes to its next statement nor waits for a lock"
        for lane in self.lanes:
            lane.check()

    def go(self, lane: Lane) -> None:
        """Release one lane for its next statement."""
        lane.go()
        self.settle()

    def one_after_the_other(self, acts: Sequence[Act]) -> list[Any]:
        """Start each one while those before it hold their transactions open, then end them in turn; return their answers.

        Each one continues as far as it can: to its commit, or to the lock of an earlier one. The answers are in the order in
        which the lanes ended, since of two that wait for one lock PostgreSQL may release either first.
        """
        chosen, said = self.lanes[: len(acts)], []
        for lane, act in zip(chosen, acts, strict=True):
            lane.begin(act)
            while lane.run_state.is_set() and lane.next not in ("COMMIT", None):
                self.go(lane)
        while chosen:
            for lane in [lane for lane in chosen if lane.run_state.is_set() and lane.next is None]:
                chosen.remove(lane)
                said.append(lane.said)
            standing = [lane for lane in chosen if lane.run_state.is_set()]
            assert standing or not chosen, "those that are left wait for one another"
            if standing:
                self.go(standing[0])
        return said

    def _settled(self) -> bool:
        standing = [lane.run_state.is_set() for lane in self.lanes]
        at_rest = all(lane.run_state.is_set() or self._waits(lane) or lane.run_state.wait(0.001) for lane in self.lanes)
        # A lane that stopped while others were inspected may have unblocked one of these.
        return at_rest and standing == [lane.run_state.is_set() for lane in self.lanes]

    def _waits(self, lane: Lane) -> bool:
        row = self.watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) AS others", [lane.pid]).fetchone()
        assert row is not None
        return bool(row["others"])
