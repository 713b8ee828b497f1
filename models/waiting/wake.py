"""Wake-ups: what follows from waits that are over, in the transaction that ended them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from models import control_requests, idle_ends, moves
from models.lifecycle import Reason
from models.statement import Statement
from models.stored_event import StoredEvent
from models.waiting.run_state import ResolvedWait, RunState

# Notes how many waits of the run are still open.
_COUNT_DOWN = "UPDATE run SET pending_waits = %(left)s WHERE id = %(run)s RETURNING id"
# One event beside the moves: the decision of a person, or the end of the time for it.
_NOTE = """
    WITH noted AS (
        UPDATE run SET seq = seq + 1, updated_at = now() WHERE id = %(run)s RETURNING id, tenant, seq, status, queue, updated_at
    ), said AS (
        INSERT INTO event (run_id, seq, tenant, at, type, status, data)
        SELECT noted.id, noted.seq, noted.tenant, noted.updated_at,
            CASE kind WHEN 'approval' THEN 'run_action' ELSE 'authentication' END, noted.status,
            CASE kind WHEN 'approval' THEN json_strip_nulls(json_build_object('waitId', wait.id,
                'decision', CASE WHEN outcome = 'withdrawn' THEN 'withdrawn' WHEN decided_by IS NULL THEN 'expire'
                    WHEN outcome = 'approved' THEN 'approve'
                    WHEN outcome = 'denied' THEN 'deny' ELSE 'answer' END,
                'choice', answer ->> 'choice', 'by', decided_by, 'comment', comment, 'digest', digest))
            ELSE json_strip_nulls(json_build_object('waitId', wait.id, 'outcome', outcome, 'provider', request ->> 'provider',
                'by', decided_by, 'comment', comment)) END
        FROM noted, wait WHERE wait.id = %(wait)s
        RETURNING *
    )
    SELECT said.*, noted.queue FROM said, noted
    """
_REASONS = {
    "approved": Reason.APPROVED, "denied": Reason.DENIED, "answered": Reason.ANSWERED, "authorized": Reason.AUTHORIZED,
    "timeout": Reason.TIMEOUT, "expired": Reason.TIMEOUT, "failed": Reason.AUTHORIZATION_FAILED,
}  # fmt: skip


def wake_run(
    connection: psycopg.Connection[Any],
    run_state: RunState,
    over: Sequence[ResolvedWait],
    *,
    reason: Reason | None = None,
    by: str | None = None,
) -> list[StoredEvent]:
    """Apply what follows from waits that are over. Return the events, in their order.

    `run_state` is the run's row as this transaction locked or parked it, `over` are the waits resolved since. A parked run
    continues when its waits are over, or ends when a person refused what it needs. One that a user wants paused is paused
    instead. A run that is not parked keeps its status: the worker that executes it fetches the outcome (see
    `models.runs.announcing`), or its next activation reads it. Then its host acts on a refusal that ends the run.
    """
    events = [_note(run_state, wait).one(connection) for wait in over if wait.kind in ("approval", "authorization")]
    awaited = [wait for wait in over if wait.epoch == run_state.epoch]
    if awaited and run_state.status in ("PAUSED", "AUTH_REQUIRED") and run_state.pause_kind != "user":
        events += _moved(connection, run_state, awaited, reason, by)
    return [event for event in events if event]


def _moved(
    connection: psycopg.Connection[Any],
    run_state: RunState,
    awaited: Sequence[ResolvedWait],
    reason: Reason | None,
    by: str | None,
) -> list[StoredEvent | None]:
    # Of several that are over together, only the first counts for a run that any of them wakes.
    counting = awaited[:1] if awaited[0].wake == "any" else awaited
    for wait in counting:
        if (end := _end(connection, run_state, wait)) is not None:
            return [end]
    left = run_state.pending_waits - len(awaited)  # one for a run that any of its waits wakes
    if left > 0:
        Statement(_COUNT_DOWN, {"run": run_state.id, "left": left}, UUID).one(connection)
        return []
    why, who = reason or _why(counting[-1]), by or counting[-1].decided_by
    asked = control_requests.take_pause_back(run_state.id).one(connection)
    events = [moves.resume(run_state.id, reason=why, by=who).one(connection)]
    if asked:
        pausing = moves.pause_idle(run_state.id, by=run_state.control_by, comment=run_state.control_reason)
        events.append(pausing.one(connection))
    return events


def _end(connection: psycopg.Connection[Any], run_state: RunState, wait: ResolvedWait) -> StoredEvent | None:
    """End the run if the outcome of this wait demands it: immediately, also if a pause is recorded."""
    if wait.outcome not in ("denied", "failed") or wait.on_deny not in ("cancel", "fail"):
        return None
    who = {"by": wait.decided_by, "comment": wait.comment}
    reason = Reason.TIMEOUT if wait.decided_by is None else Reason.DENIED
    if wait.on_deny == "cancel":
        return idle_ends.cancel_idle(connection, run_state.id, run_state.tenant, reason=reason, **who)
    approval = wait.kind == "approval"
    error = {
        "code": reason if approval else Reason.AUTHORIZATION_FAILED,
        "type": "ApprovalDenied" if approval else "AuthorizationFailed",
        "message": wait.comment or ("the approval was denied" if approval else "the authorization was not given"),
    }
    why = reason if approval else Reason.AUTHORIZATION_FAILED
    return idle_ends.fail_idle(connection, run_state.id, reason=why, error=json.dumps(error), **who)


def _why(wait: ResolvedWait) -> Reason:
    late = wait.outcome == "denied" and wait.decided_by is None
    return Reason.TIMEOUT if late else _REASONS.get(wait.outcome, Reason.WAIT_OVER)


def _note(run_state: RunState, wait: ResolvedWait) -> Statement[StoredEvent]:
    return Statement(_NOTE, {"run": run_state.id, "wait": wait.id}, StoredEvent)
