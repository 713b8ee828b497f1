-- Generated from models/runs/turns.py; README.md tells how to EXPLAIN a statement.

-- turn
-- Record what the agent saw at a moment of the run's clock.
WITH fenced AS (
    UPDATE run SET recorded_n = %(n)s, recorded_bytes = recorded_bytes + %(bytes)s, step_in_flight = %(in_flight)s,
        updated_at = now()
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE) AND recorded_n < %(n)s
        AND recorded_bytes + %(bytes)s <= %(max_bytes)s
    RETURNING id, tenant, epoch, seq, status, pause_kind
), kept AS (
    INSERT INTO turn (run_id, epoch, n, tenant, seq, at_ms, seen, gone)
    SELECT id, epoch, %(n)s, tenant, seq, %(at_ms)s, %(seen)s::json, %(gone)s::json FROM fenced
)
SELECT id, tenant, epoch, status, pause_kind FROM fenced;

-- turns
-- In the order of the records: behind the step that was recorded before it, if they have the same place.
SELECT seq, n, epoch, at_ms AS at, seen, gone, (extract(epoch FROM committed_at) * 1000)::float8 AS "committedMs"
FROM turn WHERE run_id = %(run)s ORDER BY seq, epoch, n;
