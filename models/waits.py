"""Answers to what a run waits for: taken in the order that keeps a wake-up from being lost.

A transaction that touches waits or signals first updates the run row (`inbox + 1`) and only then, in later statements, reads
or resolves waits; a park is guarded on the inbox that its activation saw. So either the park sees the signal or the signal
sees the wait, whichever waited for the other's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from models import control, moves
from models.database import Row
from models.ids import new_id
from models.lifecycle import Reason
from models.statement import Statement

_KNOCK = """
    UPDATE run SET inbox = inbox + 1 WHERE id = %(run)s AND tenant = %(tenant)s
    RETURNING id, status, pause_kind, reason, pending_waits, control_request, control_by, control_reason, lease_worker, queue
    """
_RESOLVE = """
    UPDATE wait SET resolved_at = now(), outcome = %(outcome)s, decided_by = %(by)s
    WHERE run_id = %(run)s AND kind = ANY(%(kinds)s) AND resolved_at IS NULL
    RETURNING id, key
    """
_RESOLVE_DUE = """
    UPDATE wait SET resolved_at = now(), outcome = on_due
    WHERE run_id = %(run)s AND resolved_at IS NULL AND due_at <= now() AND on_due IS NOT NULL
    RETURNING id, key
    """
_KEEP_SIGNAL = """
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
    SELECT %(id)s, id, tenant, %(name)s, %(sender)s, %(payload)s::json FROM run WHERE id = %(run)s
    ON CONFLICT DO NOTHING RETURNING id
    """
# The first signal of a name goes to the first open wait for it, the second to the second; each is consumed by one wait.
_DELIVER = """
    WITH open AS (
        SELECT id AS wait, request ->> 'signal' AS name,
            row_number() OVER (PARTITION BY request ->> 'signal' ORDER BY opened_at, id) AS place
        FROM wait WHERE run_id = %(run)s AND kind = 'signal' AND resolved_at IS NULL
    ), kept AS (
        SELECT id AS signal, name, payload, row_number() OVER (PARTITION BY name ORDER BY id) AS place
        FROM signal WHERE run_id = %(run)s AND consumed_by IS NULL
    ), met AS (
        SELECT wait, signal, payload FROM open JOIN kept USING (name, place)
    ), consumed AS (
        UPDATE signal SET consumed_by = met.wait FROM met WHERE signal.id = met.signal
    )
    UPDATE wait SET resolved_at = now(), outcome = 'received', answer = met.payload
    FROM met WHERE wait.id = met.wait RETURNING wait.id, wait.key
    """
_COUNT_DOWN = "UPDATE run SET pending_waits = %(left)s WHERE id = %(run)s RETURNING id"
# What is over is given to the agent's next activation; what is open is what it will wait for again.
SETTLED = """
    SELECT key, outcome, answer::text AS answer FROM wait WHERE run_id = %(run)s AND resolved_at IS NOT NULL
    ORDER BY resolved_at, id
    """
OVER = "SELECT key FROM wait WHERE run_id = %(run)s AND key = ANY(%(keys)s) AND resolved_at IS NOT NULL LIMIT 1"


def knock(run: UUID, tenant: str) -> Statement:
    """Open a transaction that touches the run's waits; the row says where the run stands. No row: no such run."""
    return Statement(_KNOCK, {"run": run, "tenant": tenant})


def resolve(run: UUID, kinds: Sequence[str], *, outcome: str, by: str | None) -> Statement:
    """Give the run's open waits of these kinds their one outcome. No row: there was none, or somebody answered first."""
    return Statement(_RESOLVE, {"run": run, "kinds": list(kinds), "outcome": outcome, "by": by})


def resolve_due(run: UUID) -> Statement:
    """Give the run's open waits whose time has come the outcome that they then have."""
    return Statement(_RESOLVE_DUE, {"run": run})


def keep_signal(run: UUID, name: str, *, payload: str, sender: str | None) -> Statement:
    """Store a signal (`payload` is JSON text) until a wait consumes it. No row: one of this `sender` id came before."""
    return Statement(_KEEP_SIGNAL, {"id": new_id(), "run": run, "name": name, "payload": payload, "sender": sender})


def deliver(run: UUID) -> Statement:
    """Bring kept signals and open waits for them together, in their order. Rows: the waits that are over now."""
    return Statement(_DELIVER, {"run": run})


def wake(
    connection: psycopg.Connection[Any],
    stands: Row,
    over: Sequence[Row],
    *,
    reason: Reason = Reason.WAIT_OVER,
    by: str | None = None,
) -> list[Row]:
    """Let a parked run go on when what it waits for is over; gives the events of its moves.

    `stands` is the run's row as it was knocked on (or parked) in this transaction, `over` the waits resolved since. A run
    that a user wants paused is paused instead. One that is not parked keeps the outcome for its next activation.
    """
    if not over or stands["status"] not in ("PAUSED", "AUTH_REQUIRED") or stands["pause_kind"] == "user":
        return []
    left = stands["pending_waits"] - len(over)  # one for a run that any of its waits wakes
    if left > 0:
        Statement(_COUNT_DOWN, {"run": stands["id"], "left": left}).one(connection)
        return []
    asked = control.take_pause_back(stands["id"]).one(connection)
    events = [moves.resume(stands["id"], reason=reason, by=by).one(connection)]
    if asked:
        who = {"by": stands["control_by"], "comment": stands["control_reason"]}
        events.append(moves.pause_idle(stands["id"], **who).one(connection))
    return [event for event in events if event]


@dataclass(frozen=True, slots=True)
class Park:
    """A park, and in its transaction the signals that had come before: they may end the waits as soon as they begin."""

    statement: Statement

    def one(self, connection: psycopg.Connection[Any]) -> Row | None:
        """Execute it in the caller's transaction; the row's `more` are the events of what followed at once."""
        row = self.statement.one(connection)
        if row is None:
            return None
        over = deliver(row["run_id"]).all(connection)
        stands = {
            "id": row["run_id"], "status": row["status"], "pause_kind": None, "control_by": None, "control_reason": None,
            "pending_waits": self.statement.params["pending"],
        }  # fmt: skip
        return {**row, "more": wake(connection, stands, over)}
