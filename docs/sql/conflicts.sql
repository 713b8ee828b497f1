-- Generated from models/promotion/conflicts.py; README.md tells how to EXPLAIN a statement.

-- impatient
-- Finds runs that wait for a place of their key before they ever began, and whose `onConflict` says that they do not wait.
SELECT id, tenant, blocked_on AS line, on_conflict FROM run
WHERE id = ANY(%(runs)s::uuid[]) AND status = 'QUEUED' AND on_conflict <> 'queue' AND starts_with(blocked_on, 'key:')
    AND (on_conflict <> 'skip' OR (SELECT bool_or(first.id = run.id) FROM (
        SELECT id FROM run AS in_line WHERE blocked_on = run.blocked_on
            AND coalesce(blocked_until, '-infinity'::timestamptz) = '-infinity'
        ORDER BY priority DESC, fair_tag, id LIMIT greatest(0,
            coalesce((SELECT key_limit FROM queue WHERE name = run.queue), 1)
            - (SELECT count(*) FROM place WHERE line = run.blocked_on))
    ) AS first) IS NOT TRUE)
ORDER BY id;

-- rivals
-- Locks the earlier runs that the new one replaces, except those that end or whose cancel is requested.
WITH earlier AS (
    SELECT run_id AS id FROM place WHERE line = %(line)s AND run_id < %(run)s
    UNION (SELECT id FROM run WHERE blocked_on = %(line)s AND coalesce(id < %(run)s, FALSE) LIMIT 500))
SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM earlier) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id, tenant, lease_worker FROM run WHERE run.id = to_lock.id AND finished_at IS NULL
            AND control_request IS DISTINCT FROM 'cancel' FOR UPDATE SKIP LOCKED
    ) AS locked;

-- any_rival
-- Finds out whether such a run is left, without a lock.
WITH earlier AS (
    SELECT run_id AS id FROM place WHERE line = %(line)s AND run_id < %(run)s
    UNION (SELECT id FROM run WHERE blocked_on = %(line)s AND coalesce(id < %(run)s, FALSE) LIMIT 500))
SELECT run.id FROM earlier CROSS JOIN LATERAL (SELECT id FROM run WHERE run.id = earlier.id AND finished_at IS NULL
    AND control_request IS DISTINCT FROM 'cancel' LIMIT 1) AS run
LIMIT 1;
