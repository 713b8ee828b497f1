"""Requests that wait for a worker: recorded on the run row, they change no status."""

from uuid import UUID

from models.statement import Statement

_REQUEST_CANCEL = """
    UPDATE run SET control_request = 'cancel', control_by = %(by)s, control_reason = %(comment)s, updated_at = now(),
        control_at = CASE control_request WHEN 'cancel' THEN control_at ELSE now() END, control_grace_ms = %(grace_ms)s
    WHERE id = %(run)s AND tenant = %(tenant)s AND lease_worker IS NOT NULL
    RETURNING id, lease_worker, epoch
    """


def request_cancel(run: UUID, tenant: str, *, by: str | None, comment: str | None, grace_ms: int) -> Statement:
    """Ask the worker that executes the run to stop it: cancel beats a pause that was asked for before.

    No row: no worker executes it. The row names the worker to wake.
    """
    return Statement(
        _REQUEST_CANCEL, {"run": run, "tenant": tenant, "by": by, "comment": comment, "grace_ms": grace_ms}
    )
