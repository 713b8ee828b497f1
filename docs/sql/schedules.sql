-- Generated from models/operations/schedules.py; README.md tells how to EXPLAIN a statement.

-- lock
-- Locks the schedule: first its row, then its runs. Another transaction that fires waits here, and finds another time.
SELECT *, now() AS now FROM schedule
WHERE tenant = %(tenant)s AND name = %(name)s AND (%(seen)s::timestamptz IS NULL OR (next_at = %(seen)s AND NOT paused))
FOR UPDATE;

-- open
-- Finds the runs of the schedule that have not ended, in the order in which they were made.
SELECT run.id FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
WHERE finished_at IS NULL ORDER BY n;

-- note
-- Records the firing. The primary key decides that one time has one firing.
INSERT INTO firing (tenant, schedule, at, outcome, run_id)
VALUES (%(tenant)s, %(name)s, %(at)s, %(outcome)s, %(run)s) ON CONFLICT DO NOTHING RETURNING at;

-- move_on
-- Sets the schedule to its next time.
UPDATE schedule SET next_at = %(next_at)s, last_at = coalesce(%(at)s, last_at), open_runs = %(open)s::uuid[]
WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name;

-- keep_open
-- Adds a run that a user made by hand to those that later firings look at.
UPDATE schedule SET open_runs = %(open)s::uuid[] WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name;

-- stop
-- Stops the schedule at a time that this machine cannot advance.
UPDATE schedule SET next_at = NULL WHERE tenant = %(tenant)s AND name = %(name)s AND next_at = %(seen)s RETURNING name;

-- agent
-- Reads the defaults of the agent.
SELECT queue, timeout_ms FROM agent WHERE name = %(name)s;

-- hold_back
-- Holds a run until those before it have ended.
UPDATE run SET blocked_on = 'overlap' WHERE id = %(run)s RETURNING id;

-- let_go
-- Releases runs whose predecessors have ended, or whose schedule was deleted.
WITH first_open AS (
    SELECT (SELECT run.id FROM unnest(open_runs) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
        WHERE finished_at IS NULL ORDER BY n LIMIT 1) AS id
    FROM schedule WHERE cardinality(open_runs) > 1
), due AS (
    SELECT id FROM run WHERE blocked_on = 'overlap' AND (id IN (SELECT id FROM first_open) OR NOT EXISTS (
        SELECT FROM schedule WHERE schedule.tenant = run.tenant AND run.id = ANY(open_runs)))
ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
), released AS (
    UPDATE run SET blocked_on = CASE WHEN lined THEN 'place' END
    FROM due WHERE run.id = due.id AND blocked_on = 'overlap'
    RETURNING run.id, run.queue, run.blocked_on
), place_checks AS (
    INSERT INTO place_change (run_id) SELECT id FROM released WHERE blocked_on = 'place'
)
SELECT queue FROM released;

-- put
-- Makes or replaces the schedule.
INSERT INTO schedule (tenant, name, cron, timezone, agent, request, overlap, catch_up, paused, next_at, created_by)
VALUES (%(tenant)s, %(name)s, %(cron)s, %(timezone)s, %(agent)s, %(request)s::json, %(overlap)s, %(catch_up)s,
    %(paused)s,
    %(next_at)s, %(by)s)
ON CONFLICT (tenant, name) DO UPDATE SET cron = excluded.cron, timezone = excluded.timezone, agent = excluded.agent,
    request = excluded.request, overlap = excluded.overlap, catch_up = excluded.catch_up, paused = excluded.paused,
    next_at = excluded.next_at, created_by = excluded.created_by
RETURNING name;

-- delete
-- Deletes the schedule; the runs that it made continue.
DELETE FROM schedule WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name;
