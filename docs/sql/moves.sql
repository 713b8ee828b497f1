-- Generated from models/moves.py; README.md tells how to EXPLAIN a statement.

-- claim
-- Decides which worker executes the run: one whose claim names the epoch of the ticket, as long as the ticket is out.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'RUNNING', reason = NULL, lease_worker = %(worker)s, ticket_at = NULL,
        ready_at = NULL, resumed = TRUE, claimed_at = now(), started_at = coalesce(started_at, now()), recorded_n = 0,
        step_in_flight = NULL, activations = activations + 1, agent_version = (%(versions)s::json ->> agent),
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'QUEUED') OR (status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE) AND control_request IS NULL
        AND agent = ANY(%(served)s::text[])
        AND (status <> 'QUEUED' OR expires_at IS NULL OR expires_at > now())
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, data)
    SELECT id, seq, tenant, updated_at,
        CASE status_was WHEN 'QUEUED' THEN 'start' ELSE 'status' END,
        CASE status_was WHEN 'QUEUED' THEN 'start' ELSE 'continue' END, status, status_was,
        json_build_object('worker', %(label)s::text, 'activation', activations,
            'promotedAt', to_char(promoted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    FROM moved RETURNING *
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker, moved.user_id, moved.activations,
    moved.timeout_ms,
    moved.active_ms, moved.step_count, moved.log_bytes, moved.inbox, moved.approval_strategy,
    moved.lined OR moved.parent_run_id IS NOT NULL AS matters_to_others, payload.input::text AS input,
    (SELECT json_object_agg(name, value) FROM label WHERE run_id = moved.id AND kind = 'metadata') AS metadata,
    CASE WHEN moved.activations > 1 OR moved.retry_of IS NOT NULL THEN EXISTS (SELECT FROM step
        WHERE run_id = moved.id) ELSE FALSE END AS has_steps, CASE WHEN moved.activations > 1
        OR moved.retry_of IS NOT NULL THEN EXISTS (SELECT FROM wait WHERE run_id = moved.id)
        ELSE FALSE END AS has_waits, CASE WHEN moved.activations > 1 OR moved.retry_of IS NOT NULL
        THEN EXISTS (SELECT FROM turn WHERE run_id = moved.id) ELSE FALSE END AS has_turns,
    (extract(epoch FROM now()) * 1000)::float8 AS now_ms, (extract(epoch
        FROM moved.created_at) * 1000)::float8 AS created_ms,
    (extract(epoch FROM moved.started_at) * 1000)::float8 AS started_ms
FROM new_event JOIN moved ON moved.id = new_event.run_id JOIN payload ON payload.run_id = moved.id;

-- claimed
-- Reads the claim again for a worker whose claim was committed although its acknowledgement was lost.
SELECT moved.id AS run_id, moved.tenant, moved.status, moved.queue, moved.agent, moved.epoch, moved.lease_worker,
    moved.user_id, moved.activations, moved.timeout_ms,
    moved.active_ms, moved.step_count, moved.log_bytes, moved.inbox, moved.approval_strategy,
    moved.lined OR moved.parent_run_id IS NOT NULL AS matters_to_others, payload.input::text AS input,
    (SELECT json_object_agg(name, value) FROM label WHERE run_id = moved.id AND kind = 'metadata') AS metadata,
    CASE WHEN moved.activations > 1 OR moved.retry_of IS NOT NULL THEN EXISTS (SELECT FROM step
        WHERE run_id = moved.id) ELSE FALSE END AS has_steps, CASE WHEN moved.activations > 1
        OR moved.retry_of IS NOT NULL THEN EXISTS (SELECT FROM wait WHERE run_id = moved.id)
        ELSE FALSE END AS has_waits, CASE WHEN moved.activations > 1 OR moved.retry_of IS NOT NULL
        THEN EXISTS (SELECT FROM turn WHERE run_id = moved.id) ELSE FALSE END AS has_turns,
    (extract(epoch FROM now()) * 1000)::float8 AS now_ms, (extract(epoch
        FROM moved.created_at) * 1000)::float8 AS created_ms,
    (extract(epoch FROM moved.started_at) * 1000)::float8 AS started_ms FROM run AS moved
        JOIN payload ON payload.run_id = moved.id
WHERE moved.id = %(run)s AND moved.epoch = %(epoch)s AND moved.lease_worker = %(worker)s;

-- succeed
-- Finishes the run with its result. A finish that comes before the worker knew of a cancel wins over it.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'SUCCESS', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(), active_ms = active_ms + %(active_ms)s, recorded_n = %(n)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'approval')
        OR (status = 'QUEUED') OR (status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE)
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'succeed', status, status_was, reason,
        json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET result = %(result)s::json FROM moved WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
), withdrawn AS (
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
    FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- restart
-- Ends the run in favour of its successor. Unlike a finish, a restart yields to a cancel and to a pause.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'SUCCESS', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(), active_ms = active_ms + %(active_ms)s, recorded_n = %(n)s,
            continued_as = %(successor)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'approval')
        OR (status = 'QUEUED') OR (status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND (control_request IS NULL OR control_request = 'window')
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'succeed', status, status_was, reason,
        json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET result = 'null'::json FROM moved WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
), withdrawn AS (
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
    FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- fail
-- Finishes the run with its error, as `succeed` does with its result.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'FAILED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(), active_ms = active_ms + %(active_ms)s, recorded_n = %(n)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'QUEUED') OR (status = 'RUNNING'))
        AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'fail', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET error = %(error)s::json FROM moved WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
), withdrawn AS (
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
    FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- cancel
-- Ends a run whose worker has stopped its code because of a cancel.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'CANCELED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(), active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'PAUSED' AND pause_kind = 'user')
        OR (status = 'QUEUED') OR (status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE)
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'cancel', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
), withdrawn AS (
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
    FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- release
-- Releases the run from its worker. The status is decided in a subquery of the row that is updated: a CTE before the update would
-- decide by the old row if the update has to wait for the row's lock.
WITH moved AS (
    UPDATE run SET status_was = status, (status, pause_kind, reason, finished_at, ready_at, control_request) = (
        SELECT decided.status, CASE decided.status WHEN 'PAUSED' THEN 'user' END,
            CASE decided.status WHEN 'RUNNING' THEN %(reason)s WHEN 'FAILED' THEN %(worn_out)s ELSE
                CASE control_request WHEN 'cancel' THEN CASE WHEN control_by IS NULL THEN 'by_parent'
        WHEN starts_with(control_by, 'taxiway.run/') THEN 'superseded' ELSE 'by_user' END ELSE 'by_user' END END,
            CASE WHEN decided.status IN ('CANCELED', 'FAILED') THEN now() END,
            CASE decided.status WHEN 'RUNNING' THEN now() END,
            CASE WHEN decided.status IN ('PAUSED', 'RUNNING') THEN NULL ELSE control_request END
        FROM (SELECT CASE WHEN control_request = 'cancel' THEN 'CANCELED'
            WHEN %(crash)s::int + %(loss)s::int > 0 AND (crashes + %(crash)s >= %(crash_limit)s
                OR losses + %(loss)s >= %(loss_limit)s) THEN 'FAILED'
            WHEN control_request = 'pause' THEN 'PAUSED' ELSE 'RUNNING' END AS status) AS decided
    ),
        control_reason = CASE WHEN control_request = 'window' THEN NULL ELSE control_reason END,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, resumed = TRUE,
            epoch = epoch + 1, crashes = crashes + %(crash)s, losses = losses + %(loss)s,
        active_ms = active_ms + CASE WHEN lease_worker IS NULL THEN 0 ELSE (extract(epoch
            FROM now() - claimed_at) * 1000)::bigint END,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, CASE status WHEN 'CANCELED' THEN 'end' WHEN 'FAILED' THEN 'end'
        WHEN 'PAUSED' THEN 'status' ELSE 'status' END, CASE status WHEN 'CANCELED' THEN 'cancel' WHEN 'FAILED'
        THEN 'fail' WHEN 'PAUSED' THEN 'pause_by_user'
        ELSE %(verb)s END, status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', coalesce(%(in_flight)s::text, step_in_flight), 'stopped', %(stopped)s::text,
            'by', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_by END,
            'comment', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_reason END, 'cause', %(reason)s::text))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET error = CASE moved.status WHEN 'FAILED' THEN %(error)s::json END FROM moved
        WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
), withdrawn AS (
    UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
    FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- cancel_idle
-- Cancels a run that no worker leases; its ticket, if one is out, can no longer be claimed.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'CANCELED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(),
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'PAUSED' AND pause_kind = 'user')
        OR (status = 'QUEUED') OR (status = 'RUNNING')) AND tenant = %(tenant)s AND lease_worker IS NULL
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'cancel', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- cancel_overdue
-- Cancels a run whose worker let the grace pass. The next epoch fences that worker.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'CANCELED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(), epoch = epoch + 1, active_ms = active_ms + CASE WHEN lease_worker IS NULL THEN 0
            ELSE (extract(epoch FROM now() - claimed_at) * 1000)::bigint END,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'PAUSED' AND pause_kind = 'user')
        OR (status = 'QUEUED') OR (status = 'RUNNING')) AND control_request = 'cancel'
        AND control_at + (control_grace_ms + 5000) * interval '1 ms' < now()
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'cancel', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- fail_idle
-- Fails a run that no worker leases, because a person or an authorization refused what it waits for.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'FAILED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(),
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'QUEUED') OR (status = 'RUNNING'))
        AND lease_worker IS NULL
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'fail', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET error = %(error)s::json FROM moved WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- expire
-- Fails a run that is still queued after its time to begin is over.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'FAILED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            finished_at = now(),
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'QUEUED') OR (status = 'RUNNING'))
        AND lease_worker IS NULL AND status = 'QUEUED' AND expires_at <= now()
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'end', 'fail', status, status_was, reason, json_strip_nulls(json_build_object(
            'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
            'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_by END),
            'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel'
                THEN control_reason END),
            'continuedAs', continued_as,
            'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))
    FROM moved RETURNING *
), stored AS (
    UPDATE payload SET error = %(error)s::json FROM moved WHERE payload.run_id = moved.id
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
), effects AS (
    INSERT INTO outbox (id, tenant, target_run_id, effect, data)
    SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
    UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
    FROM moved WHERE status = 'CANCELED' AND children > 0
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- parks: require_authorization
-- Parks the run, unless a signal or a request reached it after its activation read the inbox.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'AUTH_REQUIRED', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, control_reason = NULL, control_at = NULL, pending_waits = %(pending)s,
            active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND inbox = %(inbox)s AND (control_request IS NULL
        OR control_request = 'window')
    RETURNING *
), opened AS (
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
        now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
    FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
        on_due text, nonce text, digest text, grant_key text)
    ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
    RETURNING *
), not_awaited AS (
    UPDATE wait SET epoch = wait.epoch - 1 FROM moved
    WHERE wait.run_id = moved.id AND wait.epoch = moved.epoch AND wait.resolved_at IS NULL
        AND wait.key NOT IN (SELECT key FROM json_to_recordset(%(waits)s::json) AS listed (key text))
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'authentication', 'require_authorization', status, status_was, reason,
        (SELECT (SELECT json_object_agg(key, value) FROM json_each(json_build_object('waitId', opened.id,
    'expiresAt', to_char(opened.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'digest', opened.digest,
        'prompt', opened.request -> 'prompt', 'details', opened.request -> 'details', 'choices',
        opened.request -> 'choices', 'approvers', opened.request -> 'approvers', 'answer', opened.request -> 'answer',
        'step', opened.request -> 'step', 'provider', opened.request -> 'provider', 'scopes',
        opened.request -> 'scopes', 'subject', opened.request -> 'subject')) WHERE value::text <> 'null')
        FROM opened WHERE kind = 'authorization' ORDER BY id LIMIT 1)
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- parks: await_approval
-- Parks the run, unless a signal or a request reached it after its activation read the inbox.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'PAUSED', pause_kind = 'approval', reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, control_reason = NULL, control_at = NULL, pending_waits = %(pending)s,
            active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND inbox = %(inbox)s AND (control_request IS NULL
        OR control_request = 'window')
    RETURNING *
), opened AS (
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
        now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
    FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
        on_due text, nonce text, digest text, grant_key text)
    ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
    RETURNING *
), not_awaited AS (
    UPDATE wait SET epoch = wait.epoch - 1 FROM moved
    WHERE wait.run_id = moved.id AND wait.epoch = moved.epoch AND wait.resolved_at IS NULL
        AND wait.key NOT IN (SELECT key FROM json_to_recordset(%(waits)s::json) AS listed (key text))
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'run_approval', 'await_approval', status, status_was, reason,
        (SELECT (SELECT json_object_agg(key, value) FROM json_each(json_build_object('waitId', opened.id,
    'expiresAt', to_char(opened.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'digest', opened.digest,
        'prompt', opened.request -> 'prompt', 'details', opened.request -> 'details', 'choices',
        opened.request -> 'choices', 'approvers', opened.request -> 'approvers', 'answer', opened.request -> 'answer',
        'step', opened.request -> 'step', 'provider', opened.request -> 'provider', 'scopes',
        opened.request -> 'scopes', 'subject', opened.request -> 'subject')) WHERE value::text <> 'null')
        FROM opened WHERE kind = 'approval' ORDER BY id LIMIT 1)
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- parks: pause_by_agent
-- Parks the run, unless a signal or a request reached it after its activation read the inbox.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'PAUSED', pause_kind = 'agent', reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, control_reason = NULL, control_at = NULL, pending_waits = %(pending)s,
            active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND inbox = %(inbox)s AND (control_request IS NULL
        OR control_request = 'window')
    RETURNING *
), opened AS (
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
        now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
    FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
        on_due text, nonce text, digest text, grant_key text)
    ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
    RETURNING *
), not_awaited AS (
    UPDATE wait SET epoch = wait.epoch - 1 FROM moved
    WHERE wait.run_id = moved.id AND wait.epoch = moved.epoch AND wait.resolved_at IS NULL
        AND wait.key NOT IN (SELECT key FROM json_to_recordset(%(waits)s::json) AS listed (key text))
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'status', 'pause_by_agent', status, status_was, reason,
        json_build_object('waits', (SELECT json_agg(json_build_object('waitId', id, 'kind', kind,
    'expiresAt', to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY id) FROM (SELECT *
        FROM opened ORDER BY id LIMIT 20) AS shown))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- park_for_window
-- Parks the run on its closed window. Only the scheduler ends this wait, and it clears the request first: no guard on the inbox.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'PAUSED', pause_kind = 'agent', reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, control_reason = NULL, control_at = NULL, pending_waits = %(pending)s,
            active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND control_request = 'window'
    RETURNING *
), opened AS (
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
        now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
    FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
        on_due text, nonce text, digest text, grant_key text)
    ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
    RETURNING *
), not_awaited AS (
    UPDATE wait SET epoch = wait.epoch - 1 FROM moved
    WHERE wait.run_id = moved.id AND wait.epoch = moved.epoch AND wait.resolved_at IS NULL
        AND wait.key NOT IN (SELECT key FROM json_to_recordset(%(waits)s::json) AS listed (key text))
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'status', 'pause_by_agent', status, status_was, reason,
        json_build_object('waits', (SELECT json_agg(json_build_object('waitId', id, 'kind', kind,
    'expiresAt', to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY id) FROM (SELECT *
        FROM opened ORDER BY id LIMIT 20) AS shown))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- pause_executing
-- Parks an executing run for the pause that a user requested.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'PAUSED', pause_kind = 'user', reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, active_ms = active_ms + %(active_ms)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND epoch = %(epoch)s
        AND coalesce(lease_worker = %(worker)s, FALSE) AND control_request = 'pause'
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'status', 'pause_by_user', status, status_was, reason,
        json_strip_nulls(json_build_object('by', control_by, 'comment', control_reason))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- pause_idle
-- Parks a started run that no worker leases; there is no request to wait for.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'PAUSED', pause_kind = 'user', reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL, ready_at = NULL,
            control_request = NULL, control_by = %(by)s, control_reason = %(comment)s,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'RUNNING')) AND lease_worker IS NULL
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'status', 'pause_by_user', status, status_was, reason,
        json_strip_nulls(json_build_object('by', control_by, 'comment', control_reason))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;

-- resume
-- Makes a parked run ready, unless a cancel or a pause is requested of it.
WITH moved AS (
    UPDATE run SET status_was = status, status = 'RUNNING', pause_kind = NULL, reason = %(reason)s,
        lease_worker = NULL, ticket_at = NULL, blocked_on = CASE WHEN lined THEN 'place' END, blocked_until = NULL,
        ready_at = now(), resumed = TRUE, pending_waits = 0, control_by = NULL, control_reason = NULL,
        seq = seq + 1, updated_at = now()
    WHERE id = %(run)s AND ((status = 'AUTH_REQUIRED') OR (status = 'PAUSED' AND pause_kind = 'agent')
        OR (status = 'PAUSED' AND pause_kind = 'approval') OR (status = 'PAUSED' AND pause_kind = 'user'))
        AND control_request IS NULL
    RETURNING *
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
    SELECT id, seq, tenant, updated_at, 'status', 'resume', status, status_was, reason,
        json_strip_nulls(json_build_object('by', %(by)s::text))
    FROM moved RETURNING *
), place_check AS (
    INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
)
SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
FROM new_event JOIN moved ON moved.id = new_event.run_id;
