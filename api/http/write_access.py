"""Write access to the database: explained in each refusal, and probed by `/ready`.

A read cannot detect a full disk, so `/ready` writes a row and rolls back: twice a minute, and every second after a failed write
until one succeeds. A probe costs six kilobytes, which vacuum reclaims.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from models.runtime.write_probe import probe_write

AGAIN_SECONDS: Final = 1.0
CALM_SECONDS: Final = 30.0
_NOTHING_CHANGED: Final = "Nothing was changed; try again soon."
_EXPLANATIONS: Final = {
    "53100": "The disk of the database is full: free space there or enlarge it; the database continues by itself.",
    "25006": "The database takes no writes: it is read-only or a standby. Point TAXIWAY_DATABASE_URL at the primary, or end the"
    " read-only mode (default_transaction_read_only).",
    "42501": "The account of TAXIWAY_DATABASE_URL lacks a permission: grant it access to what `alembic upgrade head` made.",
    "53300": "The database has no connection left: raise max_connections, or put a pooler in front of it.",
}
_NO_CONNECTION: Final = ("too many clients", "too many connections", "remaining connection slots")


def explain_refusal(error: BaseException) -> str | None:
    """Return what is wrong with the database and how to fix it; None if the error does not tell."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if state in _EXPLANATIONS:
            return f"{_EXPLANATIONS[state]} {_NOTHING_CHANGED}"
        if isinstance(cause, psycopg.errors.FeatureNotSupported) and "read-write mode" in str(cause):
            return f"{_EXPLANATIONS['25006']} {_NOTHING_CHANGED}"  # a standby's answer to a read-write transaction
        if isinstance(cause, psycopg.OperationalError) and any(text in str(cause) for text in _NO_CONNECTION):
            return f"{_EXPLANATIONS['53300']} {_NOTHING_CHANGED}"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(original := getattr(seen, "orig", None), BaseException):
            yield original
        seen = seen.__cause__


class WriteAccess:
    """The last known state of the database's writes. Any thread may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._next = clock()

    def failed(self, error: BaseException) -> None:
        """Record a failed write; the next probe checks whether writes still fail."""
        with self._lock:
            self._next = min(self._next, self._clock() + AGAIN_SECONDS)
            self._error = error

    def probe(self, connection: psycopg.Connection[Any]) -> None:
        """Write and roll back if a probe is due; otherwise raise the error of the last write, if it failed."""
        with self._lock:
            due = self._clock() >= self._next
            if due:
                self._next = self._clock() + (AGAIN_SECONDS if self._error else CALM_SECONDS)
        if not due:
            if self._error is not None:
                raise self._error
            return
        try:
            with connection.transaction(force_rollback=True):
                probe_write(connection)
        except psycopg.Error as error:
            self.failed(error)
            raise
        with self._lock:
            if self._error is not None:
                self._error, self._next = None, self._clock() + CALM_SECONDS


write_access: Final = WriteAccess()
