"""Outcomes of a run's waits, written in the order of locks that loses no wake-up.

A transaction that touches waits or signals first updates the run row (`inbox + 1`) and only then, in later statements, reads
or resolves waits; a park is guarded on the inbox that its activation saw. Whichever transaction gets the lock second sees the
other's change, so no wake-up is lost.

`wake` decides what follows from an outcome: the run continues, or a refusal ends it immediately.

The outcomes of one run have an order, by which `first` names the same winner in every activation. It is that of their
statements, all of which hold the run's row by then; the moments at which their transactions began may be in another order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from models import control_requests, idle_ends, moves
from models.authorization import grants
from models.ids import new_id
from models.lifecycle import Reason
from models.moves import NewWait
from models.sql.events import question_json, rfc3339
from models.statement import Statement
from models.stored_event import StoredEvent, Written
from models.waiting.run_state import ResolvedWait, RunState

_KNOCK = """
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
# Notes how many waits of the run are still open.
_COUNT_DOWN = "UPDATE run SET pending_waits = %(left)s WHERE id = %(run)s RETURNING id"
# One event beside the moves: the decision of a person, or the end of the time for it.
_NOTE = """
    WITH noted AS (
        UPDATE run SET seq = seq + 1, updated_at = now() WHERE id = %(run)s RETURNING id, tenant, seq, status, queue, updated_at
    ), said AS (
        INSERT INTO event (run_id, seq, tenant, at, type, status, data)
        SELECT noted.id, noted.seq, noted.tenant, noted.updated_at,
            CASE kind WHEN 'approval' THEN 'run_action' ELSE 'authentication' END, noted.status,
            CASE kind WHEN 'approval' THEN json_strip_nulls(json_build_object('waitId', wait.id,
                'decision', CASE WHEN outcome = 'withdrawn' THEN 'withdrawn' WHEN decided_by IS NULL THEN 'expire'
                    WHEN outcome = 'approved' THEN 'approve'
                    WHEN outcome = 'denied' THEN 'deny' ELSE 'answer' END,
                'choice', answer ->> 'choice', 'by', decided_by, 'comment', comment, 'digest', digest))
            ELSE json_strip_nulls(json_build_object('waitId', wait.id, 'outcome', outcome, 'provider', request ->> 'provider',
                'by', decided_by, 'comment', comment)) END
        FROM noted, wait WHERE wait.id = %(wait)s
        RETURNING *
    )
    SELECT said.*, noted.queue FROM said, noted
    """
# A park has one event, which shows its first question; each further question that it opens gets an event of its own.
_TELL_OTHERS = f"""
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
            {question_json("opened")}
        FROM noted, opened
        RETURNING *
    )
    SELECT said.*, noted.queue FROM said, noted ORDER BY said.seq
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
# Locks the run's row, and reads its inbox.
_HOLD = "SELECT inbox FROM run WHERE id = %(run)s FOR UPDATE"
_NEXT_FOR_SIGNAL = f"""
    SELECT request -> 'schema' AS schema
    FROM wait JOIN run ON run.id = wait.run_id
    WHERE run_id = %(run)s AND kind = 'signal' AND request ->> 'signal' = %(name)s AND resolved_at IS NULL AND {_AWAITED}
    ORDER BY opened_at, wait.id LIMIT 1
    """
_REASONS = {
    "approved": Reason.APPROVED, "denied": Reason.DENIED, "answered": Reason.ANSWERED, "authorized": Reason.AUTHORIZED,
    "timeout": Reason.TIMEOUT, "expired": Reason.TIMEOUT, "failed": Reason.AUTHORIZATION_FAILED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedPayload:
    """What an open wait for a signal asks of its payload: a JSON schema, or None for any."""

    schema: Any


def lock_run(run: UUID, tenant: str) -> Statement[RunState]:
    """Lock a run at the beginning of a transaction that touches its waits. Returns no row if it does not exist."""
    return Statement(_KNOCK, {"run": run, "tenant": tenant}, RunState)


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


def wake(
    connection: psycopg.Connection[Any],
    run_state: RunState,
    over: Sequence[ResolvedWait],
    *,
    reason: Reason | None = None,
    by: str | None = None,
) -> list[StoredEvent]:
    """Apply what follows from waits that are over. Return the events, in their order.

    `run_state` is the run's row as this transaction locked or parked it, `over` are the waits resolved since. A parked run
    continues when its waits are over, or ends when a person refused what it needs. One that a user wants paused is paused
    instead. A run that is not parked keeps its status: the worker that executes it fetches the outcome (see
    `models.runs.announcing`), or its next activation reads it. Then its host acts on a refusal that ends the run.
    """
    events = [_note(run_state, wait).one(connection) for wait in over if wait.kind in ("approval", "authorization")]
    awaited = [wait for wait in over if wait.epoch == run_state.epoch]
    if awaited and run_state.status in ("PAUSED", "AUTH_REQUIRED") and run_state.pause_kind != "user":
        events += _moved(connection, run_state, awaited, reason, by)
    return [event for event in events if event]


def _moved(
    connection: psycopg.Connection[Any],
    run_state: RunState,
    awaited: Sequence[ResolvedWait],
    reason: Reason | None,
    by: str | None,
) -> list[StoredEvent | None]:
    # Of several that are over together, only the first counts for a run that any of them wakes.
    counting = awaited[:1] if awaited[0].wake == "any" else awaited
    for wait in counting:
        if (end := _end(connection, run_state, wait)) is not None:
            return [end]
    left = run_state.pending_waits - len(awaited)  # one for a run that any of its waits wakes
    if left > 0:
        Statement(_COUNT_DOWN, {"run": run_state.id, "left": left}, UUID).one(connection)
        return []
    why, who = reason or _why(counting[-1]), by or counting[-1].decided_by
    asked = control_requests.take_pause_back(run_state.id).one(connection)
    events = [moves.resume(run_state.id, reason=why, by=who).one(connection)]
    if asked:
        pausing = moves.pause_idle(run_state.id, by=run_state.control_by, comment=run_state.control_reason)
        events.append(pausing.one(connection))
    return events


def _end(connection: psycopg.Connection[Any], run_state: RunState, wait: ResolvedWait) -> StoredEvent | None:
    """End the run if the outcome of this wait demands it: immediately, also if a pause is recorded."""
    if wait.outcome not in ("denied", "failed") or wait.on_deny not in ("cancel", "fail"):
        return None
    who = {"by": wait.decided_by, "comment": wait.comment}
    reason = Reason.TIMEOUT if wait.decided_by is None else Reason.DENIED
    if wait.on_deny == "cancel":
        return idle_ends.cancel_idle(connection, run_state.id, run_state.tenant, reason=reason, **who)
    approval = wait.kind == "approval"
    error = {
        "code": reason if approval else Reason.AUTHORIZATION_FAILED,
        "type": "ApprovalDenied" if approval else "AuthorizationFailed",
        "message": wait.comment or ("the approval was denied" if approval else "the authorization was not given"),
    }
    why = reason if approval else Reason.AUTHORIZATION_FAILED
    return idle_ends.fail_idle(connection, run_state.id, reason=why, error=json.dumps(error), **who)


def _why(wait: ResolvedWait) -> Reason:
    late = wait.outcome == "denied" and wait.decided_by is None
    return Reason.TIMEOUT if late else _REASONS.get(wait.outcome, Reason.WAIT_OVER)


def _note(run_state: RunState, wait: ResolvedWait) -> Statement[StoredEvent]:
    return Statement(_NOTE, {"run": run_state.id, "wait": wait.id}, StoredEvent)


@dataclass(frozen=True, slots=True)
class Park:
    """A park, and what follows in its transaction: events of further questions, and signals that came before and end its waits.

    A park that was overtaken is tried `again`, behind the lock of the run's row, where no transaction overtakes it. A run whose
    children end fast gets news all the time; without the lock, a moment without news may never come.
    """

    statement: Statement[StoredEvent]
    waits: Sequence[NewWait] = ()
    again: bool = False

    def one(self, connection: psycopg.Connection[Any]) -> Written | None:
        """Execute it in the caller's transaction. The first event is the park's; the others are those of what followed."""
        parked = self._locked(connection) if self.again else self.statement.one(connection)
        if parked is None:
            return None
        questions = sum(wait.kind in ("approval", "authorization") for wait in self.waits)
        shown = "authorization" if parked.status == "AUTH_REQUIRED" else "approval"
        asked = {"run": parked.run_id, "epoch": parked.epoch, "shown": shown}
        more = Statement(_TELL_OTHERS, asked, StoredEvent).all(connection) if questions > 1 else []
        over = deliver(parked.run_id).all(connection) + self._granted(parked.run_id, connection)
        run_state = RunState(
            parked.run_id,
            parked.tenant,
            parked.status,
            None,
            parked.epoch,
            pending_waits=self.statement.params["pending"],
        )
        return Written([parked, *more, *wake(connection, run_state, over)])

    def _locked(self, connection: psycopg.Connection[Any]) -> StoredEvent | None:
        """Lock the run and park it with its inbox as it is now, unless a wait that it would park for is over."""
        at, keys = self.statement.params, [wait.key for wait in self.waits]
        held = Statement(_HOLD, at).one(connection)
        if held is None or are_over(at["run"], keys).one(connection):
            return None
        return replace(self.statement, params={**at, **held}).one(connection)

    def _granted(self, run: UUID, connection: psycopg.Connection[Any]) -> list[ResolvedWait]:
        """Resolve waits by grants that were given since the agent asked: behind their locks, now that the waits are open."""
        keys = sorted({wait.grant_key for wait in self.waits if wait.grant_key})
        for key in keys:
            grants.lock(key).one(connection)
        return authorize(run).all(connection) if keys else []
