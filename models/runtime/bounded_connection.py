"""A psycopg connection that fails when PostgreSQL does not answer within a bounded time.

The kernel notices a peer that does not acknowledge what was sent. It cannot notice a pooler or proxy that acknowledges
everything and answers nothing, because the server behind it is gone; a thread that waits for that waits for ever.
"""

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout  # psycopg asks callers to convert it

SECONDS = 20.0


class PatientConnection(psycopg.Connection[dict[str, Any]]):
    """A connection that is closed, and raises OperationalError, when an answer takes longer than `SECONDS`."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server, as psycopg does, but not for ever."""
        try:
            return super().wait(gen, interval, SECONDS if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"PostgreSQL did not answer for {SECONDS:.0f} s") from None
