"""Outcomes of a run's waits, written in the order of locks that loses no wake-up.

A transaction that touches waits or signals first updates the run row (`inbox + 1`) and only then, in later statements, reads
or resolves waits; a park is guarded on the inbox that its activation saw. Whichever transaction gets the lock second sees the
other's change, so no wake-up is lost.

`models.waiting.wake` decides what follows from an outcome: the run continues, or a refusal ends it immediately.

The outcomes of one run have an order, by which `first` names the same winner in every activation. It is that of their
statements, all of which hold the run's row by then; the moments at which their transactions began may be in another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.authorization import grants
from models.ids import new_id
from models.sql.events import rfc3339
from models.statement import Statement
from models.waiting.run_state import ResolvedWait, RunState

# Locks the run row and counts its inbox up: a park that has not seen this gives way.
_LOCK_RUN = """
    UPDATE run SET inbox = inbox + (finished_at IS NULL)::int WHERE id = %(run)s AND tenant = %(tenant)s
    RETURNING id, tenant, status, pause_kind, reason, epoch, pending_waits, control_request, control_by, control_reason,
        lease_worker, queue
    """
_OVER = """wait.id, wait.key, wait.kind, wait.wake, wait.epoch, wait.outcome, wait.decided_by, wait.comment,
    wait.request ->> 'onDeny' AS on_deny"""
_IS_OVER = "resolved_at = statement_timestamp()"
_RESOLVE = f"""
    UPDATE wait SET {_IS_OVER}, outcome = %(outcome)s, decided_by = %(by)s
    WHERE run_id = %(run)s AND kind = ANY(%(kinds)s) AND epoch = %(epoch)s AND resolved_at IS NULL
    RETURNING {_OVER}
    """
_DECIDE = f"""
    UPDATE wait SET {_IS_OVER}, outcome = %(outcome)s, answer = %(answer)s::json, decided_by = %(by)s,
        comment = %(comment)s
    WHERE id = %(wait)s AND run_id = %(run)s AND resolved_at IS NULL AND (due_at IS NULL OR due_at > now())
    RETURNING {_OVER}
    """
_RESOLVE_DUE = f"""
    WITH late AS (
        UPDATE wait SET {_IS_OVER}, outcome = on_due
        WHERE run_id = %(run)s AND resolved_at IS NULL AND due_at <= now() AND on_due IS NOT NULL
        RETURNING *
    )
    SELECT {_OVER} FROM late AS wait ORDER BY due_at, id
    """
_WITHDRAW = f"""
    UPDATE wait SET {_IS_OVER}, outcome = 'withdrawn'
    WHERE run_id = %(run)s AND key = ANY(%(keys)s::text[]) AND resolved_at IS NULL
    RETURNING {_OVER}
    """
_KEEP_SIGNAL = """
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
    SELECT %(id)s, id, tenant, %(name)s, %(sender)s, %(payload)s::json FROM run WHERE id = %(run)s
    ON CONFLICT DO NOTHING RETURNING id
    """
# A run waits for what its newest park opened, and for what its agent opened in this activation, while that executes. Between
# two activations it waits for nothing: the next one opens again what it still awaits.
_AWAITED = """wait.epoch = run.epoch AND (run.lease_worker IS NOT NULL OR run.status IN ('PAUSED', 'AUTH_REQUIRED')
            AND run.pause_kind IS DISTINCT FROM 'user')"""
# The first signal of a name goes to the first open wait for it, the second to the second; each is consumed by one wait. Only
# one that is awaited takes a signal: one that the agent continued without would take it away from the next.
_DELIVER = f"""
    WITH open AS (
        SELECT wait.id AS wait, request ->> 'signal' AS name,
            row_number() OVER (PARTITION BY request ->> 'signal' ORDER BY opened_at, wait.id) AS place
        FROM wait JOIN run ON run.id = wait.run_id
        WHERE run_id = %(run)s AND resolved_at IS NULL AND (kind = 'child' OR kind = 'signal' AND {_AWAITED})
    ), kept AS (
        SELECT id AS signal, name, payload, row_number() OVER (PARTITION BY name ORDER BY id) AS place
        FROM signal WHERE run_id = %(run)s AND consumed_by IS NULL
    ), met AS (
        SELECT wait, signal, payload FROM open JOIN kept USING (name, place)
    ), consumed AS (
        UPDATE signal SET consumed_by = met.wait FROM met WHERE signal.id = met.signal
    )
    UPDATE wait SET {_IS_OVER}, outcome = 'received', answer = met.payload
    FROM met WHERE wait.id = met.wait RETURNING {_OVER}
    """
# The grant is read in a later statement than the one that took the run's row: so it sees what was committed before the lock.
_AUTHORIZE = f"""
    UPDATE wait SET {_IS_OVER}, outcome = 'authorized' FROM "grant" AS held
    WHERE wait.run_id = %(run)s AND wait.kind = 'authorization' AND wait.grant_key IS NOT NULL AND wait.resolved_at IS NULL
        AND {grants.SATISFIES}
    RETURNING {_OVER}
    """
# The agent's next activation gets what is over, in the order in which it came; what is open is named.
_SETTLED = f"""
    SELECT wait.key, wait.kind, outcome, decided_by AS by, comment, {rfc3339("resolved_at")} AS at,
        (extract(epoch FROM resolved_at) * 1000)::float8 AS "resolvedMs", CASE WHEN wait.kind <> 'child' THEN left(
            coalesce(request ->> 'prompt', request ->> 'provider', request ->> 'signal', request ->> 'reason'), 60) END AS title,
        CASE WHEN wait.kind = 'child' AND outcome = 'received' THEN json_build_object('run', answer -> 'run',
            'status', answer -> 'status', 'result', child.result, 'error', child.error)::text ELSE answer::text END AS answer
    FROM wait LEFT JOIN payload AS child ON child.run_id = CASE wait.kind WHEN 'child' THEN (answer ->> 'run')::uuid END
    WHERE wait.run_id = %(run)s"""
_IN_ORDER = "ORDER BY resolved_at, due_at, wait.id"
# Reads all outcomes of the run, for its next activation.
SETTLED = f"{_SETTLED} {_IN_ORDER}"
# The outcomes since a known one, and those of the same moment; the agent itself knows what it gave up.
SETTLED_SINCE = f"""{_SETTLED} AND outcome <> 'withdrawn'
        AND resolved_at >= to_timestamp(%(since)s::float8 / 1000) - interval '1 ms' {_IN_ORDER}"""
# A run may be parked for its code again and again; every other wait is over for good.
OVER = """
    SELECT key FROM wait WHERE run_id = %(run)s AND key = ANY(%(keys)s) AND resolved_at IS NOT NULL AND kind <> 'code' LIMIT 1
    """
_NEXT_FOR_SIGNAL = f"""
    SELECT request -> 'schema' AS schema
    FROM wait JOIN run ON run.id = wait.run_id
    WHERE run_id = %(run)s AND kind = 'signal' AND request ->> 'signal' = %(name)s AND resolved_at IS NULL AND {_AWAITED}
    ORDER BY opened_at, wait.id LIMIT 1
    """


@dataclass(frozen=True, slots=True)
class WantedPayload:
    """What an open wait for a signal asks of its payload: a JSON schema, or None for any."""

    schema: Any


def lock_run(run: UUID, tenant: str) -> Statement[RunState]:
    """Lock a run at the beginning of a transaction that touches its waits. Returns no row if it does not exist."""
    return Statement(_LOCK_RUN, {"run": run, "tenant": tenant}, RunState)


def resolve(run: UUID, epoch: int, kinds: Sequence[str], *, outcome: str, by: str | None) -> Statement[ResolvedWait]:
    """Resolve the open waits of these kinds that a run awaits in this epoch, parked or executing.

    A wait that its agent continued without stays open. Returns no row if no wait was open.
    """
    return Statement(
        _RESOLVE, {"run": run, "epoch": epoch, "kinds": list(kinds), "outcome": outcome, "by": by}, ResolvedWait
    )


def decide(
    run: UUID, wait: UUID, *, outcome: str, by: str, answer: str | None = None, comment: str | None = None
) -> Statement[ResolvedWait]:
    """Resolve one wait (`answer` is JSON text). Returns no row if it was resolved before, or if its time is over."""
    params = {"run": run, "wait": wait, "outcome": outcome, "by": by, "answer": answer, "comment": comment}
    return Statement(_DECIDE, params, ResolvedWait)


def next_for_signal(run: UUID, name: str) -> Statement[WantedPayload]:
    """Read the schema of the payload that the next open wait for a signal of this name takes."""
    return Statement(_NEXT_FOR_SIGNAL, {"run": run, "name": name}, WantedPayload)


def resolve_due(run: UUID) -> Statement[ResolvedWait]:
    """Resolve the run's open waits whose time is over, each with its outcome for that case."""
    return Statement(_RESOLVE_DUE, {"run": run}, ResolvedWait)


def withdraw(run: UUID, keys: Sequence[str]) -> Statement[ResolvedWait]:
    """Withdraw open waits of these keys, which the run's agent gave up; one that is over stays as it is."""
    return Statement(_WITHDRAW, {"run": run, "keys": list(keys)}, ResolvedWait)


def keep_signal(run: UUID, name: str, *, payload: str, sender: str | None) -> Statement[UUID]:
    """Store a signal (`payload` is JSON text) until a wait consumes it. Returns no row if its `sender` id came before."""
    return Statement(
        _KEEP_SIGNAL, {"id": new_id(), "run": run, "name": name, "payload": payload, "sender": sender}, UUID
    )


def are_over(run: UUID, keys: Sequence[str]) -> Statement[str]:
    """Read one of these keys whose wait is over for good. Returns no row if none is."""
    return Statement(OVER, {"run": run, "keys": list(keys)}, str)


def deliver(run: UUID) -> Statement[ResolvedWait]:
    """Resolve open waits by the signals that are kept for them, in their order. Returns the waits that are over now."""
    return Statement(_DELIVER, {"run": run}, ResolvedWait)


def authorize(run: UUID) -> Statement[ResolvedWait]:
    """Resolve the run's open waits for authorizations that a stored grant satisfies, with all scopes that they ask for."""
    return Statement(_AUTHORIZE, {"run": run}, ResolvedWait)
