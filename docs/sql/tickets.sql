-- Generated from models/promotion/tickets.py; README.md tells how to EXPLAIN a statement.

-- promote
-- Decides which of the requested runs get a ticket: those that still wait. The epoch of each rises, so older tickets are void.
-- The virtual time advances to the tag of a promoted run, so that a new tenant starts beside the others. A run that had started
-- before pays for this activation with its next tag: otherwise the youngest of many runs that wake often would never be promoted.
WITH locked AS (
    SELECT locked.*, to_lock.next_tag
    FROM (SELECT * FROM (SELECT *
        FROM unnest(%(runs)s::uuid[], %(tags)s::float8[]) AS requested (id, next_tag)) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id, fair_tag AS tag FROM run WHERE run.id = to_lock.id AND coalesce(ready_at IS NOT NULL
            AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
), promoted AS (
    UPDATE run SET ticket_at = now(), ticket_n = 1, promoted_at = now(), epoch = epoch + 1,
        fair_tag = CASE WHEN resumed THEN coalesce(locked.next_tag, fair_tag) ELSE fair_tag END
    FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ready_at IS NOT NULL AND ticket_at IS NULL
        AND blocked_on IS NULL AND control_request IS NULL, FALSE)
    RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue, run.priority, run.resumed, locked.tag
), advanced AS (
    INSERT INTO virtual_time AS current (queue, priority, tag)
    SELECT queue, priority, max(tag) FROM promoted GROUP BY queue, priority
    ON CONFLICT (queue, priority) DO UPDATE SET tag = excluded.tag WHERE current.tag < excluded.tag
), starts AS (
    INSERT INTO rate_slot AS slot (queue, at, starts)
    SELECT queue, to_timestamp(ceil(extract(epoch
        FROM now())::float8 / %(slot_s)s::float8) * %(slot_s)s::float8), count(*) FROM promoted WHERE NOT resumed
        AND %(slot_s)s::float8 IS NOT NULL GROUP BY queue
    ON CONFLICT (queue, at) DO UPDATE SET starts = slot.starts + excluded.starts
)
SELECT * FROM promoted;

-- republish
-- Decides which tickets are published again: those that no worker claimed within 5 s, 10 s, … 60 s of the last time. The exponent
-- is bounded: a ticket that stays unclaimed for a day would overflow it, and fail the statement for its whole queue.
WITH unclaimed AS MATERIALIZED (
    SELECT id FROM run WHERE lease_worker IS NULL AND queue = %(queue)s AND ticket_at IS NOT NULL
        AND ticket_at + least(60, 5 * power(2, least(ticket_n, 5) - 1)) * interval '1 s' < now()
), locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM unclaimed LIMIT 500) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(ticket_at IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
)
UPDATE run SET ticket_n = ticket_n + 1, ticket_at = now()
FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND ticket_at IS NOT NULL
RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue;

-- decline
-- Withdraws the ticket that its worker could not take, if it is still out.
UPDATE run SET ticket_at = NULL, blocked_on = %(gate)s,
    blocked_until = now() + (0.5 + random()) * %(back_off_s)s * interval '1 s'
WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
RETURNING id;

-- lift
-- Opens the gates of declined tickets and of `notBefore` that are due. A run that may begin now asks for its places if it
-- competes for any; a run whose ticket was declined holds them.
WITH due AS (
    SELECT locked.*
    FROM (SELECT * FROM ((SELECT id FROM run WHERE blocked_on = 'declined'
        AND coalesce(blocked_until, '-infinity'::timestamptz) < now() LIMIT 500)
        UNION ALL (SELECT id FROM run WHERE blocked_on = 'not_before'
            AND coalesce(blocked_until, '-infinity'::timestamptz) <= now() LIMIT 500)) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND blocked_on IN ('declined', 'not_before') FOR UPDATE SKIP LOCKED
    ) AS locked
), lifted AS (
    UPDATE run SET blocked_on = CASE WHEN lined AND blocked_on = 'not_before' THEN 'place' END, blocked_until = NULL
    FROM due WHERE run.id = ANY (ARRAY[due.id]) AND blocked_on IN ('declined', 'not_before')
    RETURNING run.id, run.queue, run.blocked_on
), place_checks AS (
    INSERT INTO place_change (run_id) SELECT id FROM lifted WHERE blocked_on = 'place'
)
SELECT queue FROM lifted;

-- next_lift
-- Finds when the next gate of these opens: the head of the index, once for each kind.
SELECT extract(epoch FROM least(
    (SELECT coalesce(blocked_until, '-infinity'::timestamptz) FROM run WHERE blocked_on = 'declined'
        ORDER BY coalesce(blocked_until, '-infinity'::timestamptz) LIMIT 1),
    (SELECT coalesce(blocked_until, '-infinity'::timestamptz) FROM run WHERE blocked_on = 'not_before'
        ORDER BY coalesce(blocked_until, '-infinity'::timestamptz) LIMIT 1)
) - now())::float AS seconds;

-- withdraw
-- Withdraws the tickets of runs behind a gate that closed. A run that a worker has claimed by now keeps its lease.
WITH gated AS MATERIALIZED (
    SELECT id FROM run WHERE lease_worker IS NULL AND ticket_at IS NOT NULL
        AND (window_name = ANY(%(windows)s::text[]) OR queue = ANY(%(queues)s::text[])
            OR agent = ANY(%(agents)s::text[]))
), locked AS (
    SELECT locked.*
    FROM (SELECT * FROM (SELECT id FROM gated LIMIT 500) AS batch ORDER BY id) AS to_lock
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.id = to_lock.id AND coalesce(ticket_at IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
    ) AS locked
)
UPDATE run SET ticket_at = NULL FROM locked
WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
RETURNING run.id, run.queue;
