-- Generated from models/waiting/waits.py; README.md tells how to EXPLAIN a statement.

-- lock_run
-- Locks the run row and counts its inbox up: a park that has not seen this gives way.
UPDATE run SET inbox = inbox + (finished_at IS NULL)::int WHERE id = %(run)s AND tenant = %(tenant)s
RETURNING id, tenant, status, pause_kind, reason, epoch, pending_waits, control_request, control_by, control_reason,
    lease_worker, queue;

-- resolve
-- Resolve the open waits of these kinds that a run awaits in this epoch, parked or executing.
UPDATE wait SET resolved_at = statement_timestamp(), outcome = %(outcome)s, decided_by = %(by)s
WHERE run_id = %(run)s AND kind = ANY(%(kinds)s) AND epoch = %(epoch)s AND resolved_at IS NULL
RETURNING wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny;

-- decide
-- Resolve one wait (`answer` is JSON text). Returns no row if it was resolved before, or if its time is over.
UPDATE wait SET resolved_at = statement_timestamp(), outcome = %(outcome)s, answer = %(answer)s::json,
    decided_by = %(by)s,
    comment = %(comment)s
WHERE id = %(wait)s AND run_id = %(run)s AND resolved_at IS NULL AND (due_at IS NULL OR due_at > now())
RETURNING wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny;

-- resolve_due
-- Resolve the run's open waits whose time is over, each with its outcome for that case.
WITH late AS (
    UPDATE wait SET resolved_at = statement_timestamp(), outcome = on_due
    WHERE run_id = %(run)s AND resolved_at IS NULL AND due_at <= now() AND on_due IS NOT NULL
    RETURNING *
)
SELECT wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny FROM late AS wait ORDER BY due_at, id;

-- withdraw
-- Withdraw open waits of these keys, which the run's agent gave up; one that is over stays as it is.
UPDATE wait SET resolved_at = statement_timestamp(), outcome = 'withdrawn'
WHERE run_id = %(run)s AND key = ANY(%(keys)s::text[]) AND resolved_at IS NULL
RETURNING wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny;

-- keep_signal
-- Store a signal (`payload` is JSON text) until a wait consumes it. Returns no row if its `sender` id came before.
INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
SELECT %(id)s, id, tenant, %(name)s, %(sender)s, %(payload)s::json FROM run WHERE id = %(run)s
ON CONFLICT DO NOTHING RETURNING id;

-- deliver
-- The first signal of a name goes to the first open wait for it, the second to the second; each is consumed by one wait. Only
-- one that is awaited takes a signal: one that the agent continued without would take it away from the next.
WITH open AS (
    SELECT wait.id AS wait, request ->> 'signal' AS name,
        row_number() OVER (PARTITION BY request ->> 'signal' ORDER BY opened_at, wait.id) AS place
    FROM wait JOIN run ON run.id = wait.run_id
    WHERE run_id = %(run)s AND resolved_at IS NULL AND (kind = 'child' OR kind = 'signal'
        AND wait.epoch = run.epoch AND (run.lease_worker IS NOT NULL OR run.status IN ('PAUSED', 'AUTH_REQUIRED')
        AND run.pause_kind IS DISTINCT FROM 'user'))
), kept AS (
    SELECT id AS signal, name, payload, row_number() OVER (PARTITION BY name ORDER BY id) AS place
    FROM signal WHERE run_id = %(run)s AND consumed_by IS NULL
), met AS (
    SELECT wait, signal, payload FROM open JOIN kept USING (name, place)
), consumed AS (
    UPDATE signal SET consumed_by = met.wait FROM met WHERE signal.id = met.signal
)
UPDATE wait SET resolved_at = statement_timestamp(), outcome = 'received', answer = met.payload
FROM met
    WHERE wait.id = met.wait RETURNING wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome,
    wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny;

-- authorize
-- The grant is read in a later statement than the one that took the run's row: so it sees what was committed before the lock.
UPDATE wait SET resolved_at = statement_timestamp(), outcome = 'authorized' FROM "grant" AS held
WHERE wait.run_id = %(run)s AND wait.kind = 'authorization' AND wait.grant_key IS NOT NULL AND wait.resolved_at IS NULL
    AND held.tenant = wait.tenant AND held.subject = wait.request ->> 'subject'
AND held.provider = wait.request ->> 'provider' AND held.revoked_at IS NULL AND (held.refreshable
    OR held.expires_at IS NULL OR held.expires_at > now())
AND EXISTS (SELECT FROM provider AS giver WHERE giver.name = held.provider
AND giver.token_url = held.token_url AND giver.client_id = held.client_id)
AND held.scopes @> ARRAY(SELECT json_array_elements_text(wait.request -> 'scopes'))
RETURNING wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
wait.request ->> 'onDeny' AS on_deny;

-- settled
-- Reads all outcomes of the run, for its next activation.
SELECT wait.key, wait.kind, outcome, decided_by AS by, comment, to_char(resolved_at AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
    (extract(epoch FROM resolved_at) * 1000)::float8 AS "resolvedMs", CASE WHEN wait.kind <> 'child' THEN left(
        coalesce(request ->> 'prompt', request ->> 'provider', request ->> 'signal', request ->> 'reason'),
            60) END AS title,
    CASE WHEN wait.kind = 'child' AND outcome = 'received' THEN json_build_object('run', answer -> 'run',
        'status', answer -> 'status', 'result', child.result, 'error', child.error)::text
            ELSE answer::text END AS answer
FROM wait LEFT JOIN payload AS child ON child.run_id = CASE wait.kind WHEN 'child' THEN (answer ->> 'run')::uuid END
WHERE wait.run_id = %(run)s ORDER BY resolved_at, due_at, wait.id;

-- settled_since
-- The outcomes since a known one, and those of the same moment; the agent itself knows what it gave up.
SELECT wait.key, wait.kind, outcome, decided_by AS by, comment, to_char(resolved_at AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
    (extract(epoch FROM resolved_at) * 1000)::float8 AS "resolvedMs", CASE WHEN wait.kind <> 'child' THEN left(
        coalesce(request ->> 'prompt', request ->> 'provider', request ->> 'signal', request ->> 'reason'),
            60) END AS title,
    CASE WHEN wait.kind = 'child' AND outcome = 'received' THEN json_build_object('run', answer -> 'run',
        'status', answer -> 'status', 'result', child.result, 'error', child.error)::text
            ELSE answer::text END AS answer
FROM wait LEFT JOIN payload AS child ON child.run_id = CASE wait.kind WHEN 'child' THEN (answer ->> 'run')::uuid END
WHERE wait.run_id = %(run)s AND outcome <> 'withdrawn'
    AND resolved_at >= to_timestamp(%(since)s::float8 / 1000) - interval '1 ms' ORDER BY resolved_at, due_at, wait.id;

-- over
-- A run may be parked for its code again and again; every other wait is over for good.
SELECT key FROM wait WHERE run_id = %(run)s AND key = ANY(%(keys)s) AND resolved_at IS NOT NULL
    AND kind <> 'code' LIMIT 1;

-- next_for_signal
-- Read the schema of the payload that the next open wait for a signal of this name takes.
SELECT request -> 'schema' AS schema
FROM wait JOIN run ON run.id = wait.run_id
WHERE run_id = %(run)s AND kind = 'signal' AND request ->> 'signal' = %(name)s AND resolved_at IS NULL
    AND wait.epoch = run.epoch AND (run.lease_worker IS NOT NULL OR run.status IN ('PAUSED', 'AUTH_REQUIRED')
        AND run.pause_kind IS DISTINCT FROM 'user')
ORDER BY opened_at, wait.id LIMIT 1;
