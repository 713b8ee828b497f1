-- Generated from models/operations/bulk.py; README.md tells how to EXPLAIN a statement.

-- start
-- Accepts an operation on the tenant's runs of this moment, unless too many of its operations are under way.
INSERT INTO bulk (id, tenant, action, filter, by, created_by, matched, counted_all, reached, until)
SELECT %(id)s, %(tenant)s, %(action)s, %(filter)s::json, %(by)s, %(created_by)s, %(matched)s, %(counted_all)s,
    %(first)s,
    least(%(last)s, coalesce((SELECT id FROM run WHERE tenant = %(tenant)s ORDER BY id DESC LIMIT 1), %(first)s))
WHERE (SELECT count(*) FROM bulk WHERE tenant = %(tenant)s AND finished_at IS NULL) < 10
RETURNING *;

-- move_on
-- Stores how far an operation has come. The version decides between two leaders: the later one finds no row.
UPDATE bulk SET reached = %(reached)s, behind = %(behind)s::uuid[], done = done + %(done)s,
    skipped = skipped + %(skipped)s,
    failed = failed + %(failed)s, version = version + 1, finished_at = CASE WHEN %(over)s THEN now() END
WHERE id = %(id)s AND version = %(version)s AND finished_at IS NULL
RETURNING *;
