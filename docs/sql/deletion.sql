-- Generated from models/runs/deletion.py; README.md tells how to EXPLAIN a statement.

-- lock
-- A transaction that changes a run, or retries it, keeps it. Locked in the order of their ids.
SELECT id FROM run WHERE id = ANY(%(runs)s) AND finished_at IS NOT NULL
ORDER BY id FOR UPDATE SKIP LOCKED;

-- deliveries
-- By the key of `delivery`, which begins with the webhook.
DELETE FROM delivery USING run, webhook
WHERE run.id = ANY(%(runs)s) AND webhook.tenant = run.tenant AND webhook_id = webhook.id AND run_id = run.id;

-- runs
-- Delete those of these runs that have ended and are not locked, in one transaction. Return their ids.
DELETE FROM run WHERE id = ANY(%(runs)s);
