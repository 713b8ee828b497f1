"""Requests that wait for their moment: recorded on the run row, they change no status."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import NOT_BEFORE, OVERLAP, PLACE
from models.lifecycle import Reason
from models.statement import Statement

_SUPERSEDED = "taxiway.run/"
# The same as `why_canceled`, over the columns of a run.
WHY_CANCELED = f"""CASE WHEN control_by IS NULL THEN '{Reason.BY_PARENT}'
            WHEN starts_with(control_by, '{_SUPERSEDED}') THEN '{Reason.SUPERSEDED}' ELSE '{Reason.BY_USER}' END"""
_REQUEST_CANCEL = """
    UPDATE run SET control_request = 'cancel', control_by = %(by)s, control_reason = %(comment)s, updated_at = now(),
        control_at = CASE control_request WHEN 'cancel' THEN control_at ELSE now() END, control_grace_ms = %(grace_ms)s
    WHERE id = %(run)s AND tenant = %(tenant)s AND lease_worker IS NOT NULL
    RETURNING id, lease_worker, epoch
    """
# Cancel beats pause, and pause beats a window that closed: each is recorded only where nothing is that beats it.
# A queued run is held from now on; its ticket is withdrawn, and it keeps no place from others meanwhile.
_ASKS = f"(status = 'QUEUED' AND lined AND coalesce(blocked_on, '') NOT IN ('{NOT_BEFORE}', '{OVERLAP}'))"
_REQUEST_PAUSE = f"""
    WITH asked AS (
        UPDATE run SET control_request = 'pause', control_by = %(by)s, control_reason = %(comment)s, control_at = now(),
            updated_at = now(), ticket_at = NULL, blocked_on = CASE WHEN {_ASKS} THEN '{PLACE}' ELSE blocked_on END,
            blocked_until = CASE WHEN NOT {_ASKS} THEN blocked_until END
        WHERE id = %(run)s AND (control_request IS NULL OR control_request = 'window') AND finished_at IS NULL AND
            (lease_worker IS NOT NULL OR status IN ('QUEUED', 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind <> 'user'))
        RETURNING id, status, lease_worker, epoch, blocked_on
    ), freed AS (
        INSERT INTO place_change (run_id) SELECT id FROM asked WHERE blocked_on = '{PLACE}'
    )
    SELECT id, status, lease_worker, epoch FROM asked
    """
_TAKE_PAUSE_BACK = f"""
    WITH forgotten AS (
        UPDATE run SET control_request = NULL, control_by = NULL, control_reason = NULL, control_at = NULL, updated_at = now()
        WHERE id = %(run)s AND control_request = 'pause' AND finished_at IS NULL
        RETURNING id, status, queue, blocked_on
    ), asking AS (
        INSERT INTO place_change (run_id) SELECT id FROM forgotten WHERE blocked_on = '{PLACE}'
    )
    SELECT id, status, queue FROM forgotten
    """

# Several runs at once: each is locked first, in the order of their ids; one that somebody decides about comes next time. They
# are found by the index of what is in flight and looked up by their keys, whatever the planner thinks of the number of runs:
# hence `MATERIALIZED`, `LATERAL` and `ANY (ARRAY[…])`, which can be no join with all runs.
_ASK_FOR_WINDOWS = """
    WITH gated AS MATERIALIZED (
        SELECT id, CASE WHEN window_name = ANY(%(windows)s::text[]) THEN window_name
            ELSE coalesce(%(queues)s::json ->> queue, %(agents)s::json ->> agent) END AS closed
        FROM run WHERE lease_worker IS NOT NULL AND control_request IS NULL
    ), chosen AS (
        SELECT locked.id, wanted.closed
        FROM (SELECT * FROM (SELECT id, closed FROM gated WHERE closed IS NOT NULL LIMIT 500) AS few ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND coalesce(lease_worker IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
        ) AS locked
    )
    UPDATE run SET control_request = 'window', control_by = NULL, control_reason = chosen.closed, control_at = now()
    FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND coalesce(lease_worker IS NOT NULL, FALSE) AND control_request IS NULL
    RETURNING run.id, lease_worker
    """
_TAKE_WINDOWS_BACK = """
    WITH asked AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NOT NULL AND control_request = 'window'
            AND control_reason <> ALL(%(windows)s::text[])
    ), chosen AS (
        SELECT locked.id FROM (SELECT * FROM (SELECT id FROM asked LIMIT 500) AS few ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND coalesce(lease_worker IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
        ) AS locked
    )
    UPDATE run SET control_request = NULL, control_reason = NULL, control_at = NULL
    FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND control_request = 'window'
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
    """Say, as who asked for a cancel, that a later run with the same concurrency key did."""
    return f"{_SUPERSEDED}{run}"


def why_canceled(by: str | None) -> Reason:
    """Give the reason of a cancel that was asked for by a person, by a later run, or (None) because of the run's parent."""
    if by is None:
        return Reason.BY_PARENT
    return Reason.SUPERSEDED if by.startswith(_SUPERSEDED) else Reason.BY_USER


def ask_for_windows(
    *, windows: Sequence[str], queues: Mapping[str, str], agents: Mapping[str, str]
) -> Statement[LeasedBy]:
    """Ask the workers of runs whose window closed to park them at their next step edge; rows name the workers to wake.

    `windows` closed and are to pause what they gate; `queues` and `agents` name the one of these that gates them.
    """
    told = {"queues": json.dumps(queues), "agents": json.dumps(agents)}
    return Statement(_ASK_FOR_WINDOWS, {"windows": list(windows), **told}, LeasedBy)


def take_windows_back(*, windows: Sequence[str]) -> Statement[UUID]:
    """Forget what was asked for other windows than these: they are open again."""
    return Statement(_TAKE_WINDOWS_BACK, {"windows": list(windows)}, UUID)


def request_cancel(run: UUID, tenant: str, *, by: str | None, comment: str | None, grace_ms: int) -> Statement[Request]:
    """Ask the worker that executes the run to stop it: cancel beats a pause that was asked for before.

    `by` is None when the run's parent was canceled; see `why_canceled`.

    No row: no worker executes it. The row names the worker to wake.
    """
    return Statement(
        _REQUEST_CANCEL, {"run": run, "tenant": tenant, "by": by, "comment": comment, "grace_ms": grace_ms}, Request
    )


def request_pause(run: UUID, *, by: str | None, comment: str | None) -> Statement[Request]:
    """Record that somebody wants the run to pause: at its next step edge, when its wait is over, or before it starts.

    No row: something is recorded already, or the run can be paused at once (`moves.pause_idle`).
    """
    return Statement(_REQUEST_PAUSE, {"run": run, "by": by, "comment": comment}, Request)


def take_pause_back(run: UUID) -> Statement[Request]:
    """Forget a recorded pause. No row: none is recorded."""
    return Statement(_TAKE_PAUSE_BACK, {"run": run}, Request)
