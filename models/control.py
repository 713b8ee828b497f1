"""Requests that wait for their moment: recorded on the run row, they change no status."""

from uuid import UUID

from models.statement import Statement

_REQUEST_CANCEL = """
    UPDATE run SET control_request = 'cancel', control_by = %(by)s, control_reason = %(comment)s, updated_at = now(),
        control_at = CASE control_request WHEN 'cancel' THEN control_at ELSE now() END, control_grace_ms = %(grace_ms)s
    WHERE id = %(run)s AND tenant = %(tenant)s AND lease_worker IS NOT NULL
    RETURNING id, lease_worker, epoch
    """
# Cancel beats pause, so a pause is only recorded where nothing is. A queued run is held from now on; its ticket is withdrawn.
_REQUEST_PAUSE = """
    UPDATE run SET control_request = 'pause', control_by = %(by)s, control_reason = %(comment)s, control_at = now(),
        updated_at = now(), ticket_at = NULL
    WHERE id = %(run)s AND control_request IS NULL AND finished_at IS NULL
        AND (lease_worker IS NOT NULL OR status IN ('QUEUED', 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind <> 'user'))
    RETURNING id, status, lease_worker, epoch
    """
_TAKE_PAUSE_BACK = """
    UPDATE run SET control_request = NULL, control_by = NULL, control_reason = NULL, control_at = NULL, updated_at = now()
    WHERE id = %(run)s AND control_request = 'pause' AND finished_at IS NULL
    RETURNING id, status, queue
    """


def request_cancel(run: UUID, tenant: str, *, by: str | None, comment: str | None, grace_ms: int) -> Statement:
    """Ask the worker that executes the run to stop it: cancel beats a pause that was asked for before.

    `by` is None when the run's parent was canceled; the end's reason is `by_parent` then.

    No row: no worker executes it. The row names the worker to wake.
    """
    return Statement(
        _REQUEST_CANCEL, {"run": run, "tenant": tenant, "by": by, "comment": comment, "grace_ms": grace_ms}
    )


def request_pause(run: UUID, *, by: str | None, comment: str | None) -> Statement:
    """Record that somebody wants the run to pause: at its next step edge, when its wait is over, or before it starts.

    No row: something is recorded already, or the run can be paused at once (`moves.pause_idle`).
    """
    return Statement(_REQUEST_PAUSE, {"run": run, "by": by, "comment": comment})


def take_pause_back(run: UUID) -> Statement:
    """Forget a recorded pause. No row: none is recorded."""
    return Statement(_TAKE_PAUSE_BACK, {"run": run})
