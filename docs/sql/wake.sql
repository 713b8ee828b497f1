-- Generated from models/waiting/wake.py; README.md tells how to EXPLAIN a statement.

-- count_down
-- Notes how many waits of the run are still open.
UPDATE run SET pending_waits = %(left)s WHERE id = %(run)s RETURNING id;

-- note
-- One event beside the moves: the decision of a person, or the end of the time for it.
WITH noted AS (
    UPDATE run SET seq = seq + 1, updated_at = now()
        WHERE id = %(run)s RETURNING id, tenant, seq, status, queue, updated_at
), said AS (
    INSERT INTO event (run_id, seq, tenant, at, type, status, data)
    SELECT noted.id, noted.seq, noted.tenant, noted.updated_at,
        CASE kind WHEN 'approval' THEN 'run_action' ELSE 'authentication' END, noted.status,
        CASE kind WHEN 'approval' THEN json_strip_nulls(json_build_object('waitId', wait.id,
            'decision', CASE WHEN outcome = 'withdrawn' THEN 'withdrawn' WHEN decided_by IS NULL THEN 'expire'
                WHEN outcome = 'approved' THEN 'approve'
                WHEN outcome = 'denied' THEN 'deny' ELSE 'answer' END,
            'choice', answer ->> 'choice', 'by', decided_by, 'comment', comment, 'digest', digest))
        ELSE json_strip_nulls(json_build_object('waitId', wait.id, 'outcome', outcome, 'provider',
            request ->> 'provider',
            'by', decided_by, 'comment', comment)) END
    FROM noted, wait WHERE wait.id = %(wait)s
    RETURNING *
)
SELECT said.*, noted.queue FROM said, noted;
