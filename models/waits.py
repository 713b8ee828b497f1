"""Answers to what a run waits for: taken in the order that keeps a wake-up from being lost.

A transaction that touches waits or signals first updates the run row (`inbox + 1`) and only then, in later statements, reads
or resolves waits; a park is guarded on the inbox that its activation saw. So either the park sees the signal or the signal
sees the wait, whichever waited for the other's lock.
"""

from uuid import UUID

from models.statement import Statement

_KNOCK = """
    UPDATE run SET inbox = inbox + 1 WHERE id = %(run)s AND tenant = %(tenant)s
    RETURNING id, status, pause_kind, reason, pending_waits, control_request, lease_worker, queue
    """
_RESOLVE = """
    UPDATE wait SET resolved_at = now(), outcome = %(outcome)s, decided_by = %(by)s
    WHERE run_id = %(run)s AND kind = %(kind)s AND resolved_at IS NULL
    RETURNING id, key
    """


def knock(run: UUID, tenant: str) -> Statement:
    """Open a transaction that touches the run's waits; the row says where the run stands. No row: no such run."""
    return Statement(_KNOCK, {"run": run, "tenant": tenant})


def resolve(run: UUID, kind: str, *, outcome: str, by: str | None) -> Statement:
    """Give the run's open waits of a kind their one outcome. No row: there was none, or somebody answered first."""
    return Statement(_RESOLVE, {"run": run, "kind": kind, "outcome": outcome, "by": by})
