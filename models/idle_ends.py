"""Ends of a run that no worker executes: the move, then in the same transaction the end of the run's waits."""

from typing import Any
from uuid import UUID

import psycopg

from models import moves
from models.lifecycle import Reason
from models.statement import Statement
from models.stored_event import StoredEvent

# Withdraws the run's open waits. A statement of its own: the end may have waited for a park that opened waits, and its own
# snapshot would not show them.
_CLOSE = """
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn' WHERE run_id = %(run)s AND resolved_at IS NULL RETURNING id
    """


def cancel_idle(
    connection: psycopg.Connection[Any], run: UUID, tenant: str, *, reason: Reason, by: str | None, comment: str | None
) -> StoredEvent | None:
    """Cancel a run that no worker executes. Return its last event, or None if another transaction decided first."""
    return _ended(connection, moves.cancel_idle(run, tenant, reason=reason, by=by, comment=comment))


def cancel_overdue(
    connection: psycopg.Connection[Any], run: UUID, *, in_flight: str | None, reason: Reason = Reason.BY_USER
) -> StoredEvent | None:
    """Complete a cancel that the worker did not answer in time. Return the last event, or None."""
    return _ended(connection, moves.cancel_overdue(run, in_flight=in_flight, reason=reason))


def fail_idle(
    connection: psycopg.Connection[Any],
    run: UUID,
    *,
    reason: Reason,
    error: str,
    by: str | None = None,
    comment: str | None = None,
) -> StoredEvent | None:
    """Fail a run that no worker executes. Return its last event, or None."""
    return _ended(connection, moves.fail_idle(run, reason=reason, error=error, by=by, comment=comment))


def _ended(connection: psycopg.Connection[Any], end: Statement[StoredEvent]) -> StoredEvent | None:
    with connection.transaction():
        event = end.one(connection)
        if event is not None:
            Statement(_CLOSE, {"run": event.run_id}, UUID).all(connection)
    return event
