-- Generated from models/control_requests.py; README.md tells how to EXPLAIN a statement.

-- request_cancel
-- Requests a cancel of a run that a worker executes. A repeated request keeps the time of the first.
UPDATE run SET control_request = 'cancel', control_by = %(by)s, control_reason = %(comment)s, updated_at = now(),
    control_at = CASE control_request WHEN 'cancel' THEN control_at ELSE now() END, control_grace_ms = %(grace_ms)s
WHERE id = %(run)s AND tenant = %(tenant)s AND lease_worker IS NOT NULL
RETURNING id, lease_worker, epoch;

-- request_pause
-- Requests a pause. A cancel beats a pause, and a pause beats a closed window: each is recorded only where no stronger one is.
-- A queued run is held from now on: its ticket is withdrawn, and it frees its places.
WITH requested AS (
    UPDATE run SET control_request = 'pause', control_by = %(by)s, control_reason = %(comment)s, control_at = now(),
        updated_at = now(), ticket_at = NULL, blocked_on = CASE WHEN (status = 'QUEUED' AND lined
            AND coalesce(blocked_on, '') NOT IN ('not_before', 'overlap')) THEN 'place' ELSE blocked_on END,
        blocked_until = CASE WHEN NOT (status = 'QUEUED' AND lined
            AND coalesce(blocked_on, '') NOT IN ('not_before', 'overlap')) THEN blocked_until END
    WHERE id = %(run)s AND (control_request IS NULL OR control_request = 'window') AND finished_at IS NULL AND
        (lease_worker IS NOT NULL OR status IN ('QUEUED', 'AUTH_REQUIRED') OR (status = 'PAUSED'
            AND pause_kind <> 'user'))
    RETURNING id, status, lease_worker, epoch, blocked_on
), place_checks AS (
    INSERT INTO place_change (run_id) SELECT id FROM requested WHERE blocked_on = 'place'
)
SELECT id, status, lease_worker, epoch FROM requested;

-- take_pause_back
-- Clears a requested pause. A queued run that was held asks for its places again.
WITH cleared AS (
    UPDATE run SET control_request = NULL, control_by = NULL, control_reason = NULL, control_at = NULL,
        updated_at = now()
    WHERE id = %(run)s AND control_request = 'pause' AND finished_at IS NULL
    RETURNING id, status, queue, blocked_on
), place_checks AS (
    INSERT INTO place_change (run_id) SELECT id FROM cleared WHERE blocked_on = 'place'
)
SELECT id, status, queue FROM cleared;

-- ask_for_windows
-- Requests parks of executing runs whose window closed. `closed` is the window that gates the run: its own, or that of its queue
-- or agent.
WITH gated AS MATERIALIZED (
    SELECT id, CASE WHEN window_name = ANY(%(windows)s::text[]) THEN window_name
        ELSE coalesce(%(queues)s::json ->> queue, %(agents)s::json ->> agent) END AS closed
    FROM run WHERE lease_worker IS NOT NULL AND control_request IS NULL
), locked AS (
    SELECT locked.*, to_lock.closed
    FROM (SELECT * FROM (SELECT * FROM gated WHERE closed IS NOT NULL LIMIT 500) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(lease_worker IS NOT NULL, FALSE)
            FOR UPDATE SKIP LOCKED
    ) AS locked
)
UPDATE run SET control_request = 'window', control_by = NULL, control_reason = locked.closed, control_at = now()
FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(lease_worker IS NOT NULL, FALSE)
    AND control_request IS NULL
RETURNING run.id, lease_worker;

-- take_windows_back
-- Clears requests for windows that are not closed any longer.
WITH requested AS MATERIALIZED (
    SELECT id FROM run WHERE lease_worker IS NOT NULL AND control_request = 'window'
        AND control_reason <> ALL(%(windows)s::text[])
), locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM requested LIMIT 500) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(lease_worker IS NOT NULL, FALSE)
            FOR UPDATE SKIP LOCKED
    ) AS locked
)
UPDATE run SET control_request = NULL, control_reason = NULL, control_at = NULL
FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND control_request = 'window'
    AND control_reason <> ALL(%(windows)s::text[])
RETURNING run.id;
