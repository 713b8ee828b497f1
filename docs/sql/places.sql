-- Generated from models/promotion/places.py; README.md tells how to EXPLAIN a statement.

-- changes
-- Reads the changes that need a check, the oldest first.
SELECT id, run_id, queue FROM place_change ORDER BY id LIMIT 500;

-- lock
-- Locks the runs to check. A run that another transaction has locked is checked in the next turn.
SELECT locked.*
FROM (SELECT * FROM (SELECT id FROM unnest(%(runs)s::uuid[]) AS id) AS batch ORDER BY id) AS to_lock
CROSS JOIN LATERAL (
    SELECT id FROM run WHERE run.id = to_lock.id FOR UPDATE SKIP LOCKED
) AS locked;

-- done
-- Deletes the changes that were checked: of queues, of missing runs, and of locked runs. The others stay for the next turn.
DELETE FROM place_change AS change WHERE id = ANY(%(changes)s::bigint[]) AND (queue IS NOT NULL
    OR run_id = ANY(%(locked)s::uuid[]) OR (SELECT id FROM run WHERE run.id = change.run_id) IS NULL)
RETURNING id;

-- free
-- Frees the places of runs that ended, parked or are held. A parked run keeps the place of its key where its queue says so.
WITH idle AS (
    SELECT run.id, (finished_at IS NOT NULL OR status = 'QUEUED' AND control_request = 'pause')
        OR NOT coalesce(hold_keys, FALSE) AS frees_keys
    FROM unnest(%(runs)s::uuid[]) AS checked (id) CROSS JOIN LATERAL (
        SELECT * FROM run WHERE run.id = checked.id AND ((finished_at IS NOT NULL OR status = 'QUEUED'
            AND control_request = 'pause') OR (ready_at IS NULL AND lease_worker IS NULL)) LIMIT 1
    ) AS run LEFT JOIN queue ON queue.name = run.queue
)
DELETE FROM place USING idle WHERE place.run_id = ANY (ARRAY[idle.id]) AND (frees_keys OR NOT starts_with(line, 'key:'))
RETURNING line;

-- send
-- Sends runs that ask for places to the next line: first that of the key, then that of the tenant. A run that holds all places
-- that it needs is ready.
WITH asking AS (
    SELECT run.id, CASE
        WHEN run.concurrency_key IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id
            AND line = 'key:' || run.queue || chr(10) || run.tenant || chr(10) || run.concurrency_key)
            THEN 'key:' || run.queue || chr(10) || run.tenant || chr(10) || run.concurrency_key
        WHEN queue.tenant_limit IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE run_id = run.id
            AND line = 'tenant:' || run.queue || chr(10) || run.tenant)
            THEN 'tenant:' || run.queue || chr(10) || run.tenant END AS line
    FROM unnest(%(runs)s::uuid[]) AS checked (id) JOIN run ON run.id = checked.id LEFT
        JOIN queue ON queue.name = run.queue
    WHERE blocked_on = 'place' AND control_request IS NULL
)
UPDATE run SET blocked_on = asking.line FROM asking
WHERE run.id = ANY (ARRAY[asking.id]) AND blocked_on = 'place' AND control_request IS NULL
RETURNING run.id, run.queue, run.blocked_on AS line;

-- admit
-- Gives the free places of lines to their heads. A head that another transaction has locked is skipped; `left_out` tells the
-- scheduler to check the line again.
WITH heads AS (
    SELECT requested.line, head.id
        FROM unnest(%(lines)s::text[], %(limits)s::int[]) AS requested (line, most) CROSS JOIN LATERAL (
        SELECT id, priority, fair_tag FROM (
            SELECT * FROM run WHERE blocked_on = requested.line
                AND coalesce(blocked_until, '-infinity'::timestamptz) = '-infinity'
                ORDER BY priority DESC, fair_tag, id LIMIT 1000
        ) AS in_line WHERE window_name <> ALL(%(closed)s::text[]) AND agent <> ALL(%(paused)s::text[])
            ORDER BY priority DESC, fair_tag, id
        LIMIT least(500, greatest(0, requested.most - (SELECT count(*) FROM place WHERE place.line = requested.line)))
    ) AS head
), locked AS (
    SELECT locked.*, to_lock.line
    FROM (SELECT * FROM (SELECT * FROM heads) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id, tenant FROM run WHERE run.id = to_lock.id AND blocked_on = to_lock.line FOR UPDATE SKIP LOCKED
    ) AS locked
), given AS (
    INSERT INTO place (line, run_id, tenant) SELECT line, id, tenant FROM locked ON CONFLICT DO NOTHING
), admitted AS (
    UPDATE run SET blocked_on = 'place' FROM locked WHERE run.id = ANY (ARRAY[locked.id])
        AND coalesce(blocked_on = locked.line, FALSE)
    RETURNING run.id, locked.line
)
SELECT heads.id, heads.line, admitted.id IS NULL AS left_out FROM heads LEFT JOIN admitted ON admitted.id = heads.id;

-- give_way
-- Takes places of full lines back for their heads. A run that holds a place but neither executes nor has a ticket gives way if it
-- may not go itself, or if it never began and the head has a higher priority.
WITH outranked AS (
    SELECT run.id, place.line FROM unnest(%(lines)s::text[], %(limits)s::int[]) AS requested (line, most) CROSS
        JOIN LATERAL (
        SELECT id, priority, fair_tag FROM (
            SELECT * FROM run WHERE blocked_on = requested.line
                AND coalesce(blocked_until, '-infinity'::timestamptz) = '-infinity'
                ORDER BY priority DESC, fair_tag, id LIMIT 1000
        ) AS in_line WHERE window_name <> ALL(%(closed)s::text[]) AND agent <> ALL(%(paused)s::text[])
            ORDER BY priority DESC, fair_tag, id LIMIT 1
    ) AS head JOIN place ON place.line = requested.line JOIN run ON run.id = place.run_id
    WHERE requested.most <= (SELECT count(*) FROM place WHERE place.line = requested.line)
        AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL, FALSE)
        AND (status = 'QUEUED' AND run.priority < head.priority OR NOT (window_name <> ALL(%(closed)s::text[])
            AND agent <> ALL(%(paused)s::text[])))
), locked AS (
    SELECT locked.*, to_lock.line
    FROM (SELECT * FROM (SELECT * FROM outranked) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL
            AND blocked_on IS NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
), sent_back AS (
    UPDATE run SET blocked_on = locked.line FROM locked WHERE run.id = ANY (ARRAY[locked.id])
        AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL, FALSE)
    RETURNING run.id, locked.line
)
DELETE FROM place USING sent_back WHERE place.run_id = sent_back.id AND (place.line = sent_back.line
    OR starts_with(sent_back.line, 'key:')) RETURNING place.line;

-- limits
-- Reads how many places the lines of each queue have.
SELECT name, key_limit, tenant_limit FROM queue;

-- next_line
-- Finds the next line after another by the index alone, however many runs wait in each.
SELECT blocked_on AS line FROM run WHERE blocked_on > %(after)s ORDER BY blocked_on LIMIT 1;

-- again
-- Requests another check of a run.
INSERT INTO place_change (run_id) VALUES (%(run)s) RETURNING id;

-- strays
-- Finds runs without a place of their tenant, because they became ready before their queue limited tenants.
SELECT id FROM run WHERE id = ANY(%(runs)s::uuid[])
    AND NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id
        AND place.line = 'tenant:' || run.queue || chr(10) || run.tenant);

-- line_up
-- Makes such runs ask for the places that they lack, unless they have a ticket or execute by now.
WITH locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM unnest(%(runs)s::uuid[]) AS id) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL
            AND blocked_on IS NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
), asking AS (
    UPDATE run SET lined = TRUE, blocked_on = 'place' FROM locked WHERE run.id = ANY (ARRAY[locked.id])
        AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL, FALSE)
    RETURNING run.id
)
INSERT INTO place_change (run_id) SELECT id FROM asking RETURNING run_id;
