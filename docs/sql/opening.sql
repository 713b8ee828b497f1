-- Generated from models/runs/opening.py; README.md tells how to EXPLAIN a statement.

-- open
-- Waits of a run are inserted by its own activation alone, one item after another: which keys are known may be read here.
-- `NOT IN` is one look at all keys of the run, however many are asked for.
WITH asked AS (
    SELECT * FROM json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
        on_due text, nonce text, digest text, grant_key text)
), fresh AS (
    SELECT * FROM asked WHERE key NOT IN (SELECT key FROM wait WHERE run_id = %(run)s)
), size AS (
    SELECT coalesce(sum(octet_length(request::text) + 100), 0) AS bytes FROM fresh
), fenced AS (
    UPDATE run SET recorded_n = %(n)s, recorded_bytes = recorded_bytes + (SELECT bytes FROM size),
        step_in_flight = %(in_flight)s, updated_at = now()
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE) AND recorded_n < %(n)s
        AND recorded_bytes + (SELECT bytes FROM size) <= %(max_bytes)s
    RETURNING id, tenant, epoch, status, pause_kind, queue
), taken_over AS (
    UPDATE wait SET epoch = fenced.epoch, wake = 'any' FROM fenced, asked
    WHERE wait.run_id = fenced.id AND wait.key = asked.key AND wait.resolved_at IS NULL
    RETURNING wait.id
), opened AS (
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
    SELECT fresh.id, fenced.id, tenant, key, kind, 'any', epoch, request, now() + due_ms * interval '1 ms', on_due,
        nonce,
        digest, grant_key
    FROM fenced, fresh
    RETURNING id
)
SELECT fenced.*, ARRAY(SELECT id FROM opened) AS opened,
    (SELECT count(*) FROM asked) > (SELECT count(*) FROM opened) + (SELECT count(*) FROM taken_over) AS over
FROM fenced;

-- tell
-- Each question that is still open gets one event.
WITH opened AS (
    SELECT *, row_number() OVER (ORDER BY id) AS nth FROM wait
    WHERE id = ANY(%(opened)s) AND resolved_at IS NULL AND kind IN ('approval', 'authorization')
), noted AS (
    UPDATE run SET seq = seq + (SELECT count(*) FROM opened) WHERE id = %(run)s RETURNING *
), said AS (
    INSERT INTO event (run_id, seq, tenant, at, type, status, data)
    SELECT noted.id, noted.seq - (SELECT count(*) FROM opened) + nth, noted.tenant, noted.updated_at,
        CASE opened.kind WHEN 'approval' THEN 'run_approval' ELSE 'authentication' END, noted.status,
        (SELECT json_object_agg(key, value) FROM json_each(json_build_object('waitId', opened.id,
    'expiresAt', to_char(opened.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'digest', opened.digest,
        'prompt', opened.request -> 'prompt', 'details', opened.request -> 'details', 'choices',
        opened.request -> 'choices', 'approvers', opened.request -> 'approvers', 'answer', opened.request -> 'answer',
        'step', opened.request -> 'step', 'provider', opened.request -> 'provider', 'scopes',
        opened.request -> 'scopes', 'subject', opened.request -> 'subject')) WHERE value::text <> 'null')
    FROM noted, opened
    RETURNING *
)
SELECT said.*, noted.queue FROM said, noted ORDER BY said.seq;

-- news
-- A park that is on its way was asked for without this news.
UPDATE run SET inbox = inbox + 1 WHERE id = %(run)s RETURNING id;
