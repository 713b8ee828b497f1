"""Pending pause and cancel requests on the run row; they change no status."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import NOT_BEFORE, OVERLAP, PLACE
from models.lifecycle import Reason
from models.sql.locking import locked_in_order
from models.statement import Statement

_SUPERSEDED = "taxiway.run/"
# `why_canceled` as SQL over the columns of a run.
WHY_CANCELED = f"""CASE WHEN control_by IS NULL THEN '{Reason.BY_PARENT}'
            WHEN starts_with(control_by, '{_SUPERSEDED}') THEN '{Reason.SUPERSEDED}' ELSE '{Reason.BY_USER}' END"""
# Requests a cancel of a run that a worker executes. A repeated request keeps the time of the first.
_REQUEST_CANCEL = """
    UPDATE run SET control_request = 'cancel', control_by = %(by)s, control_reason = %(comment)s, updated_at = now(),
        control_at = CASE control_request WHEN 'cancel' THEN control_at ELSE now() END, control_grace_ms = %(grace_ms)s
    WHERE id = %(run)s AND tenant = %(tenant)s AND lease_worker IS NOT NULL
    RETURNING id, lease_worker, epoch
    """
_FREES = f"(status = 'QUEUED' AND lined AND coalesce(blocked_on, '') NOT IN ('{NOT_BEFORE}', '{OVERLAP}'))"
# Requests a pause. A cancel beats a pause, and a pause beats a closed window: each is recorded only where no stronger one is.
# A queued run is held from now on: its ticket is withdrawn, and it frees its places.
_REQUEST_PAUSE = f"""
    WITH requested AS (
        UPDATE run SET control_request = 'pause', control_by = %(by)s, control_reason = %(comment)s, control_at = now(),
            updated_at = now(), ticket_at = NULL, blocked_on = CASE WHEN {_FREES} THEN '{PLACE}' ELSE blocked_on END,
            blocked_until = CASE WHEN NOT {_FREES} THEN blocked_until END
        WHERE id = %(run)s AND (control_request IS NULL OR control_request = 'window') AND finished_at IS NULL AND
            (lease_worker IS NOT NULL OR status IN ('QUEUED', 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind <> 'user'))
        RETURNING id, status, lease_worker, epoch, blocked_on
    ), place_checks AS (
        INSERT INTO place_change (run_id) SELECT id FROM requested WHERE blocked_on = '{PLACE}'
    )
    SELECT id, status, lease_worker, epoch FROM requested
    """
# Clears a requested pause. A queued run that was held asks for its places again.
_TAKE_PAUSE_BACK = f"""
    WITH cleared AS (
        UPDATE run SET control_request = NULL, control_by = NULL, control_reason = NULL, control_at = NULL, updated_at = now()
        WHERE id = %(run)s AND control_request = 'pause' AND finished_at IS NULL
        RETURNING id, status, queue, blocked_on
    ), place_checks AS (
        INSERT INTO place_change (run_id) SELECT id FROM cleared WHERE blocked_on = '{PLACE}'
    )
    SELECT id, status, queue FROM cleared
    """

_LEASED = "coalesce(lease_worker IS NOT NULL, FALSE)"
# Requests parks of executing runs whose window closed. `closed` is the window that gates the run: its own, or that of its queue
# or agent.
_ASK_FOR_WINDOWS = f"""
    WITH gated AS MATERIALIZED (
        SELECT id, CASE WHEN window_name = ANY(%(windows)s::text[]) THEN window_name
            ELSE coalesce(%(queues)s::json ->> queue, %(agents)s::json ->> agent) END AS closed
        FROM run WHERE lease_worker IS NOT NULL AND control_request IS NULL
    ), locked AS (
        {locked_in_order("SELECT * FROM gated WHERE closed IS NOT NULL LIMIT 500", _LEASED, keep=["closed"])}
    )
    UPDATE run SET control_request = 'window', control_by = NULL, control_reason = locked.closed, control_at = now()
    FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND {_LEASED} AND control_request IS NULL
    RETURNING run.id, lease_worker
    """
# Clears requests for windows that are not closed any longer.
_TAKE_WINDOWS_BACK = f"""
    WITH requested AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NOT NULL AND control_request = 'window'
            AND control_reason <> ALL(%(windows)s::text[])
    ), locked AS (
        {locked_in_order("SELECT id FROM requested LIMIT 500", _LEASED)}
    )
    UPDATE run SET control_request = NULL, control_reason = NULL, control_at = NULL
    FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND control_request = 'window'
        AND control_reason <> ALL(%(windows)s::text[])
    RETURNING run.id
    """


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is recorded on a run now, or a pause that no longer is; `lease_worker` is the worker to wake."""

    id: UUID
    status: str = ""
    lease_worker: UUID | None = None
    epoch: int = 0
    queue: str = ""


@dataclass(frozen=True, slots=True)
class LeasedBy:
    """A run and the worker that leases it."""

    id: UUID
    lease_worker: UUID


def superseded_by(run: UUID) -> str:
    """Return the requester of a cancel that a later run with the same concurrency key caused."""
    return f"{_SUPERSEDED}{run}"


def why_canceled(by: str | None) -> Reason:
    """Return the reason of a cancel that a user, a later run, or (None) the run's parent requested."""
    if by is None:
        return Reason.BY_PARENT
    return Reason.SUPERSEDED if by.startswith(_SUPERSEDED) else Reason.BY_USER


def ask_for_windows(
    *, windows: Sequence[str], queues: Mapping[str, str], agents: Mapping[str, str]
) -> Statement[LeasedBy]:
    """Request that workers park runs behind a closed window at their next step edge. Rows name the workers to wake.

    `windows` are closed and pause the runs that they gate; `queues` and `agents` map those that they gate to their window.
    """
    gated = {"queues": json.dumps(queues), "agents": json.dumps(agents)}
    return Statement(_ASK_FOR_WINDOWS, {"windows": list(windows), **gated}, LeasedBy)


def take_windows_back(*, windows: Sequence[str]) -> Statement[UUID]:
    """Clear the requests for all windows but these: the others are open again."""
    return Statement(_TAKE_WINDOWS_BACK, {"windows": list(windows)}, UUID)


def request_cancel(run: UUID, tenant: str, *, by: str | None, comment: str | None, grace_ms: int) -> Statement[Request]:
    """Request a cancel from the worker that executes the run; it replaces a requested pause.

    `by` is None if the run's parent was canceled; see `why_canceled`. The row names the worker to wake. Returns no row if no
    worker executes the run.
    """
    return Statement(
        _REQUEST_CANCEL, {"run": run, "tenant": tenant, "by": by, "comment": comment, "grace_ms": grace_ms}, Request
    )


def request_pause(run: UUID, *, by: str | None, comment: str | None) -> Statement[Request]:
    """Request a pause: the run pauses at its next step edge, when its wait is over, or before it starts.

    Returns no row if a request is recorded already, or if the run can be paused immediately (`moves.pause_idle`).
    """
    return Statement(_REQUEST_PAUSE, {"run": run, "by": by, "comment": comment}, Request)


def take_pause_back(run: UUID) -> Statement[Request]:
    """Clear a requested pause. Returns no row if none is recorded."""
    return Statement(_TAKE_PAUSE_BACK, {"run": run}, Request)
