-- Generated from models/runs/recording.py; README.md tells how to EXPLAIN a statement.

-- step
-- Decides whether the step may be recorded, and counts it against the run's limits. A step with an outcome gets no row in
-- `stored_step`: then the function of migration 0016 raises STEP_FINISHED, which rolls the whole transaction back.
WITH fenced AS (
    UPDATE run SET seq = seq + 1, recorded_n = %(n)s, step_count = step_count + %(finished)s,
        recorded_bytes = recorded_bytes + %(bytes)s, step_in_flight = %(in_flight)s, updated_at = now()
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE) AND recorded_n < %(n)s
        AND step_count + %(finished)s <= %(max_steps)s
        AND recorded_bytes + %(bytes)s <= %(max_bytes)s
    RETURNING id, tenant, seq, status
), stored_step AS (
    INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, duration_ms, started_at,
        finished_at, value, error, at_ms)
    SELECT id, %(key)s, tenant, seq, %(name)s, %(digest)s, %(occurrence)s, %(status)s, %(attempts)s, %(duration_ms)s,
        now() - coalesce(%(duration_ms)s::bigint, 0) * interval '1 ms', CASE WHEN %(finished)s = 1 THEN now() END,
        %(value)s::json, %(error)s::json, %(at_ms)s
    FROM fenced
    ON CONFLICT (run_id, key) DO UPDATE SET seq = excluded.seq, status = excluded.status, attempts = excluded.attempts,
        duration_ms = excluded.duration_ms, finished_at = excluded.finished_at, value = excluded.value,
        error = excluded.error, at_ms = excluded.at_ms
        WHERE step.status IN ('retrying', 'intended')
    RETURNING key
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, type, status, data)
    SELECT id, seq, tenant, 'step', status, json_build_object('step', json_strip_nulls(json_build_object(
        'key', key, 'name', %(name)s::text, 'status', %(status)s::text, 'attempts', %(attempts)s::int,
        'durationMs', %(duration_ms)s::bigint, 'approval', %(approval)s::text)))
    FROM fenced, stored_step RETURNING *
)
SELECT new_event.*, CASE WHEN new_event.run_id IS NULL THEN step_was_finished() ELSE TRUE END AS kept
FROM fenced LEFT JOIN new_event ON TRUE;

-- missing
-- Reads the name of the function that the statement above calls, if the database does not have it.
SELECT 'step_was_finished()' AS function WHERE to_regprocedure('step_was_finished()') IS NULL;

-- abandoned
-- Records that the agent gave the step up, unless it has an outcome. The record may be read here without its lock: only this
-- activation writes it, and its items are committed in order.
WITH unfinished AS (
    SELECT (NOT EXISTS (
        SELECT FROM step WHERE run_id = %(run)s AND key = %(key)s AND status NOT IN ('retrying', 'intended')
    ))::int AS n
), fenced AS (
    UPDATE run SET seq = seq + (SELECT n FROM unfinished), recorded_n = %(n)s,
        step_count = step_count + (SELECT n FROM unfinished), step_in_flight = %(in_flight)s, updated_at = now()
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE) AND recorded_n < %(n)s
        AND step_count + (SELECT n FROM unfinished) <= %(max_steps)s
    RETURNING id, tenant, seq, status
), stored_step AS (
    INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, duration_ms, started_at,
        finished_at, at_ms)
    SELECT id, %(key)s, tenant, seq, %(name)s, %(digest)s, %(occurrence)s, 'abandoned', %(attempts)s, %(duration_ms)s,
        now() - coalesce(%(duration_ms)s::bigint, 0) * interval '1 ms', now(), %(at_ms)s
    FROM fenced, unfinished WHERE unfinished.n = 1
    ON CONFLICT (run_id, key) DO UPDATE SET seq = excluded.seq, status = excluded.status, attempts = excluded.attempts,
        duration_ms = excluded.duration_ms, finished_at = excluded.finished_at, at_ms = excluded.at_ms
    RETURNING key
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, type, status, data)
    SELECT id, seq, tenant, 'step', status, json_build_object('step', json_strip_nulls(json_build_object(
        'key', key, 'name', %(name)s::text, 'status', 'abandoned', 'attempts', %(attempts)s::int,
        'durationMs', %(duration_ms)s::bigint)))
    FROM fenced, stored_step RETURNING *
)
SELECT new_event.* FROM fenced LEFT JOIN new_event ON TRUE;

-- event
-- Records an event of the agent, once for its number.
WITH fenced AS (
    UPDATE run SET seq = seq + 1, recorded_n = %(n)s, step_in_flight = %(in_flight)s, updated_at = now()
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE) AND recorded_n < %(n)s
    RETURNING id, tenant, seq, status
), new_event AS (
    INSERT INTO event (run_id, seq, tenant, type, status, data)
    SELECT id, seq, tenant, %(type)s, status, %(data)s::json FROM fenced RETURNING *
)
SELECT * FROM new_event;

-- in_flight
-- Notes the step that executes now. It has no number: the last of several wins.
UPDATE run SET step_in_flight = %(in_flight)s, updated_at = now() WHERE id = %(run)s AND epoch = %(epoch)s
    AND coalesce(lease_worker = %(worker)s, FALSE) RETURNING id;

-- log
-- Appends log lines, numbered behind those that the run has.
WITH fenced AS (
    UPDATE run SET log_lines = log_lines + %(count)s, log_bytes = log_bytes + %(bytes)s WHERE id = %(run)s
        AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
    RETURNING id, tenant, log_lines - %(count)s AS base
), new_lines AS (
    INSERT INTO log (run_id, n, tenant, source, level, step, attempt, message)
    SELECT id, base + line.n, tenant, line.source, line.level, line.step, line.attempt, line.message
    FROM fenced, unnest(%(sources)s::text[], %(levels)s::text[], %(steps)s::text[], %(attempts)s::int[],
        %(messages)s::text[]) WITH ORDINALITY AS line (source, level, step, attempt, message, n)
)
SELECT id FROM fenced;

-- fenced
-- Reads the row that tells an activation why an item was not recorded, or that it was.
SELECT epoch, lease_worker, recorded_n, status, inbox, control_request, control_by, control_reason
FROM run WHERE id = %(run)s;
