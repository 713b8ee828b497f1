-- Generated from models/runs/holding.py; README.md tells how to EXPLAIN a statement.

-- held
-- Note what keeps the slot; nothing keeps it when `by` is empty. No row: the fence is passed, or nothing was noted.
INSERT INTO held (run_id, tenant, epoch, what)
SELECT id, tenant, epoch, %(what)s::json FROM run WHERE id = %(run)s AND epoch = %(epoch)s
    AND coalesce(lease_worker = %(worker)s, FALSE)
ON CONFLICT (run_id) DO UPDATE SET epoch = excluded.epoch, what = excluded.what, since = now()
RETURNING run_id;

-- free
-- Note what keeps the slot; nothing keeps it when `by` is empty. No row: the fence is passed, or nothing was noted.
DELETE FROM held WHERE run_id = (SELECT id FROM run WHERE id = %(run)s AND epoch = %(epoch)s
    AND coalesce(lease_worker = %(worker)s, FALSE)) RETURNING run_id;
