"""Ends of a run that no worker makes: the move, and behind it in the same transaction the end of what the run waited for."""

from typing import Any
from uuid import UUID

import psycopg

from models import moves
from models.lifecycle import Reason
from models.statement import Statement
from models.stored_event import StoredEvent

# A statement of its own: the end may have waited for a park that opened waits meanwhile, and would not see them.
_CLOSE = """
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn' WHERE run_id = %(run)s AND resolved_at IS NULL RETURNING id
    """


def cancel_idle(
    connection: psycopg.Connection[Any], run: UUID, tenant: str, *, reason: Reason, by: str | None, comment: str | None
) -> StoredEvent | None:
    """Cancel a run that no worker executes; gives its last event, or None when somebody decided first."""
    return _ended(connection, moves.cancel_idle(run, tenant, reason=reason, by=by, comment=comment))


def cancel_overdue(
    connection: psycopg.Connection[Any], run: UUID, *, in_flight: str | None, reason: Reason = Reason.BY_USER
) -> StoredEvent | None:
    """Complete a cancel that its worker did not answer; gives the last event, or None."""
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
    """Fail a run that no worker executes; gives its last event, or None."""
    return _ended(connection, moves.fail_idle(run, reason=reason, error=error, by=by, comment=comment))


def _ended(connection: psycopg.Connection[Any], end: Statement[StoredEvent]) -> StoredEvent | None:
    with connection.transaction():
        event = end.one(connection)
        if event is not None:
            Statement(_CLOSE, {"run": event.run_id}, UUID).all(connection)
    return event
