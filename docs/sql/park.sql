-- Generated from models/waiting/park.py; README.md tells how to EXPLAIN a statement.

-- tell_others
-- A park has one event, which shows its first question; each further question that it opens gets an event of its own.
WITH asked AS (
    SELECT *, row_number() OVER (ORDER BY kind = %(shown)s DESC, id) AS place FROM wait
    WHERE run_id = %(run)s AND resolved_at IS NULL AND epoch = %(epoch)s AND kind IN ('approval', 'authorization')
), opened AS (
    SELECT *, row_number() OVER (ORDER BY place) AS nth FROM asked WHERE place > 1 AND opened_at = now()
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

-- hold
-- Locks the run's row, and reads its inbox.
SELECT inbox FROM run WHERE id = %(run)s FOR UPDATE;
