"""Connection of one group committer: statements in groups or alone, reopened after a loss.

It decides whether an error means that PostgreSQL is away or that PostgreSQL refused a statement.
"""

import time
from typing import Any, Protocol

import psycopg
from typing_extensions import TypeVar

from executor.errors import StepFinished
from models.errors import DatabaseAway
from models.runs.recording import STEP_FINISHED
from models.runtime.database import Connection, connect
from models.runtime.facts import fact
from models.statement import Statement

LOCK_TIMEOUT_MS = 200  # a group never waits longer for one run's row
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0

T_co = TypeVar("T_co", covariant=True, default=object)


def refusal(error: Exception) -> Exception:
    """Return what an SQLSTATE of ours means to the caller, or the error itself if it is PostgreSQL's."""
    return StepFinished() if getattr(error, "sqlstate", None) == STEP_FINISHED else error


class Decision(Protocol[T_co]):
    """A statement, or several that decide together in one transaction."""

    def one(self, connection: Connection) -> T_co | None: ...


class Session:
    """One connection. Used by one thread at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: Connection | None = None
        self._away = False
        self._wait = 0.0

    @property
    def connection(self) -> Connection:
        """The current connection; after a loss another one takes its place."""
        assert self._connection is not None, "opened before the committer starts"
        return self._connection

    def open(self) -> None:
        """Connect; raise DatabaseAway."""
        connection = connect(f"recorder {self._name}")
        connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        self._connection = connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection:
            self._connection.close()

    def execute(self, statements: list[Statement[Any]]) -> list[Any]:
        """Execute statements in one transaction and one round trip; a single one is a transaction of its own."""
        if len(statements) == 1:
            return [statements[0].one(self.connection)]
        try:
            with self.connection.pipeline():
                self.connection.execute("BEGIN")
                cursors = [
                    self.connection.cursor(row_factory=one.rows).execute(one.sql, one.params) for one in statements
                ]
                self.connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return [cursor.fetchone() for cursor in cursors]

    def execute_alone(self, statement: Decision, lock_timeout_ms: int) -> object:
        """Execute one statement that waits for locks for `lock_timeout_ms` at most."""
        with self.connection.transaction():
            self.connection.execute(f"SET LOCAL lock_timeout = {lock_timeout_ms}")
            return statement.one(self.connection)

    def is_lost(self, error: Exception) -> bool:
        """Return whether PostgreSQL is away, read-only or out of resources, rather than that it refused the statement."""
        if self._connection is None or self._connection.closed:
            return True
        state = getattr(error, "sqlstate", None) or ""
        # 25006 is a standby that is not promoted yet.
        return state[:2] in ("08", "53", "57", "58") or state == "25006"

    def reconnect(self, error: Exception) -> None:
        """Connect again: immediately the first time, then ever more slowly until a commit succeeds."""
        if not self._away:
            self._away, self._wait = True, 0.0
            fact("database.away", level="warning", lane=self._name, error=type(error).__name__)
        while True:
            time.sleep(self._wait)
            self._wait = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
            self.close()
            try:
                self.open()
            except (DatabaseAway, psycopg.Error):
                continue
            return

    def works(self) -> None:
        """Record that a statement was committed or refused: the database is there."""
        if self._away:
            self._away = False
            fact("database.back", lane=self._name)

    def _roll_back(self) -> None:
        """Leave no transaction open after any failure: later items would be acknowledged without being committed."""
        try:
            self.connection.rollback()
        except psycopg.Error:
            self.connection.close()
