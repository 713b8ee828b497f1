"""Expiration of runs whose time to begin is over. The claim checks that time as well, so nothing begins after it."""

from typing import Any
from uuid import UUID

import psycopg

from models import moves
from models.statement import Statement
from models.stored_event import StoredEvent

BATCH = 200

_DUE = f"SELECT run_id FROM expiry WHERE at <= now() ORDER BY at LIMIT {BATCH}"
_NEXT = "SELECT extract(epoch FROM min(at) - now())::float AS seconds FROM expiry"
_OVER = "DELETE FROM expiry WHERE run_id = %(run)s RETURNING run_id"


def due() -> Statement[UUID]:
    """Read the runs whose time is over, started or not."""
    return Statement(_DUE, {}, UUID)


def next_due() -> Statement[float]:
    """Read in how many seconds the next run's time is over; None if no run has such a time."""
    return Statement(_NEXT, {}, float)


def end(connection: psycopg.Connection[Any], run: UUID, error: str) -> StoredEvent | None:
    """Fail the run if it has not begun. Return its last event, or None if it began in time or has ended."""
    with connection.transaction():
        row = moves.expire(run, error=error).one(connection)
        Statement(_OVER, {"run": run}).one(connection)
    return row
