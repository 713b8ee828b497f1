"""Duels of two connections about one run: one holds its transaction open until the other waits for its lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from models.statement import Statement

Connection = psycopg.Connection[dict[str, Any]]
Rows = list[Any]
PATIENCE_S = 10


class Waiting:
    """A statement on its own thread, because it waits for a lock."""

    def __init__(self, connection: Connection, work: Callable[[Connection], Rows]) -> None:
        self._connection, self._work = connection, work
        self._rows: Rows | None = None
        self._error: BaseException | None = None
        self.pid = connection.info.backend_pid
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._rows = self._work(self._connection)
        except BaseException as error:  # noqa: BLE001  it is raised again by `rows`
            self._error = error

    def rows(self) -> Rows:
        """Return the rows of the statement after it got its lock."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the second statement still waits"
        if self._error:
            raise self._error
        assert self._rows is not None
        return self._rows


def blocked_by(watcher: Connection, waiting: int, holder: int) -> bool:
    """Return whether the server reports that one backend waits for a lock of the other."""
    row = watcher.execute("SELECT %s = ANY(pg_blocking_pids(%s)) AS blocked", [holder, waiting]).fetchone()
    assert row is not None
    return bool(row["blocked"])


def until_blocked(watcher: Connection, waiting: int, holder: int) -> None:
    """Return once the server reports it."""
    deadline = time.monotonic() + PATIENCE_S
    while not blocked_by(watcher, waiting, holder):
        assert time.monotonic() < deadline, "the second statement never waited for the first"


def duel(connect: Callable[[], Connection], first: Statement, second: Statement) -> tuple[Rows, Rows]:
    """Execute `first` and hold its transaction; execute `second`, which must wait for it; commit; return both answers."""
    holder, watcher, other = connect(), connect(), connect()
    holder.execute("BEGIN")
    won = first.all(holder)
    waiting = Waiting(other, second.all)
    until_blocked(watcher, waiting.pid, holder.info.backend_pid)
    holder.execute("COMMIT")
    return won, waiting.rows()
