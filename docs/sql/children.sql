-- Generated from models/runs/children.py; README.md tells how to EXPLAIN a statement.

-- expect
-- Decides whether the run may start so many children more, and reads what they inherit.
UPDATE run SET children = children + %(count)s
WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
    AND children + %(count)s <= %(most)s
RETURNING tenant, user_id, priority, created_by, approval_strategy,
    ARRAY(SELECT name FROM label WHERE run_id = id AND kind = 'tag' ORDER BY name) AS tags;

-- level
-- Decides whether the run is too deep in its family. Its ancestors may be read without their locks: the parent of a run never
-- changes. A run that restarted counts once.
WITH RECURSIVE ancestors AS (
    SELECT parent_run_id, 1 AS level FROM run WHERE id = %(run)s
    UNION ALL SELECT parent.parent_run_id, level + 1 FROM ancestors CROSS JOIN LATERAL (
        SELECT run.parent_run_id FROM run WHERE run.id = ancestors.parent_run_id LIMIT 1  -- by its key, never a join
    ) AS parent WHERE level <= %(most)s
)
SELECT max(level) AS level FROM ancestors HAVING max(level) <= %(most)s;

-- keep_ends
-- Keeps the ends of children as signals. Each has the id of its row in the outbox: folded twice, it would still be one signal.
INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
SELECT id, target_run_id, tenant, 'taxiway.child/' || (data ->> 'key'), data ->> 'run', data
FROM outbox WHERE target_run_id = %(run)s AND id = ANY(%(rows)s)
ON CONFLICT DO NOTHING RETURNING id;

-- to_cancel
-- Locks the next children to cancel. A child that another transaction has locked is found again in the next turn.
SELECT id, tenant, lease_worker FROM run
WHERE parent_run_id = %(run)s AND coalesce(finished_at, 'infinity') = 'infinity' AND control_request IS DISTINCT
    FROM 'cancel'
ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED;

-- any_left
-- Finds out whether a child is left. A statement of its own, after the others: a child that was ending when they looked may have
-- been continued since.
SELECT id FROM run
WHERE parent_run_id = %(run)s AND coalesce(finished_at, 'infinity') = 'infinity' AND control_request IS DISTINCT
    FROM 'cancel' LIMIT 1;
