-- Generated from models/promotion/place_limits.py; README.md tells how to EXPLAIN a statement.

-- count_in
-- Counts runs in flight that were promoted before their queue limited tenants: each gets its place, whatever the limit.
WITH in_flight AS MATERIALIZED (
    SELECT id, queue, tenant FROM run WHERE (ticket_at IS NOT NULL OR lease_worker IS NOT NULL) AND queue = %(queue)s
), uncounted AS (
    SELECT id FROM in_flight AS run
    WHERE NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id
        AND place.line = 'tenant:' || run.queue || chr(10) || run.tenant)
), locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM uncounted LIMIT 500) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id FOR UPDATE SKIP LOCKED
    ) AS locked
), counted AS (
    UPDATE run SET lined = TRUE FROM locked
    WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ticket_at IS NOT NULL OR lease_worker IS NOT NULL, FALSE)
    RETURNING run.*
)
INSERT INTO place (line, run_id, tenant) SELECT 'tenant:' || run.queue || chr(10) || run.tenant, id, tenant
    FROM counted AS run
ON CONFLICT DO NOTHING RETURNING run_id;

-- count_later
-- Requests another check of the queue if such a run is left.
WITH in_flight AS MATERIALIZED (
    SELECT id, queue, tenant FROM run WHERE (ticket_at IS NOT NULL OR lease_worker IS NOT NULL) AND queue = %(queue)s
), uncounted AS (
    SELECT id FROM in_flight AS run
    WHERE NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id
        AND place.line = 'tenant:' || run.queue || chr(10) || run.tenant)
)
INSERT INTO place_change (queue) SELECT %(queue)s WHERE EXISTS (SELECT FROM uncounted) RETURNING id;

-- take_back
-- Takes back places beyond the limit in the lines of these runs. Runs that never began lose theirs first, the last in the order
-- of promotion before the others. A run that was parked with its key keeps it.
WITH crowded AS (
    SELECT held.line, count(*) - CASE WHEN starts_with(place.line, 'key:') THEN queue.key_limit
        ELSE queue.tenant_limit END AS excess, queue.hold_keys AND starts_with(held.line, 'key:') AS kept
    FROM (SELECT DISTINCT line, run.queue FROM place JOIN run ON run.id = place.run_id
        WHERE place.run_id = ANY(%(runs)s::uuid[])) AS held
    JOIN queue ON queue.name = held.queue JOIN place ON place.line = held.line
    GROUP BY held.line, place.line, key_limit, tenant_limit, hold_keys HAVING count(*) > CASE
        WHEN starts_with(place.line, 'key:') THEN queue.key_limit ELSE queue.tenant_limit END
), ranked AS (
    SELECT run.id, run.queue, crowded.line, excess,
        row_number() OVER (PARTITION BY crowded.line ORDER BY resumed, priority, fair_tag DESC, run.id DESC) AS n
    FROM crowded JOIN place ON place.line = crowded.line JOIN run ON run.id = place.run_id
    WHERE coalesce(ready_at IS NOT NULL AND ticket_at IS NULL, FALSE) AND NOT (resumed AND kept)
), surplus AS (
    SELECT id, queue, line FROM ranked WHERE n <= excess
), locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT DISTINCT id FROM surplus) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(ready_at IS NOT NULL
            AND ticket_at IS NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
), asking AS (
    UPDATE run SET blocked_on = 'place', blocked_until = NULL
    FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL, FALSE)
    RETURNING run.id
), taken AS (
    DELETE FROM place USING surplus JOIN asking USING (id)
    WHERE place.run_id = surplus.id AND (place.line = surplus.line OR starts_with(surplus.line, 'key:'))
), place_checks AS (
    INSERT INTO place_change (run_id, queue)
    SELECT id, NULL FROM asking UNION ALL (SELECT DISTINCT NULL::uuid, queue FROM surplus)
)
SELECT DISTINCT id FROM surplus;

-- let_go
-- Requests a check of the parked runs that hold their keys, once their queue does not let them hold keys any longer.
INSERT INTO place_change (run_id) SELECT DISTINCT place.run_id
FROM place JOIN run ON run.id = place.run_id JOIN queue ON queue.name = run.queue
WHERE queue.name = %(queue)s AND NOT hold_keys AND ready_at IS NULL AND lease_worker IS NULL
RETURNING run_id;
