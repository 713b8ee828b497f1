"""The moves of a run: the only place that writes `status`.

A move is one guarded statement: it names the statuses from which it may begin (taken from the lifecycle table) and, when
a worker makes it, the epoch and the lease under which it may. It changes the run row, takes the run's next `seq` and
writes the event, all or nothing. No row back means that somebody else decided first: re-read and decide again.

A guard reads only columns of the run row that it updates. A statement that waited for the row's lock still sees its old
snapshot of every other table, so a guard over one of these would lose what was committed meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from models.ids import new_id
from models.lifecycle import MOVES, Reason, State, Verb
from models.statement import Statement
from models.telling import moment, told

CRASH_LIMIT = 3
LOSS_LIMIT = 11
MOST_SHOWN = 20  # waits that the event of a park lists

# A window that closed asks for a park at the next step edge; whatever else ends the activation serves it as well.
_NOTHING_ASKED = "(control_request IS NULL OR control_request = 'window')"
_ANSWERED = "control_request = NULL, control_reason = NULL, control_at = NULL"
# `coalesce` keeps the planner on the run's key: by the index of what is in flight it would read, while an old snapshot
# is open, every run that the worker ever held (measured: 50,000 of them make a step ten times slower).
_FENCE = "epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)"
_NOT_LEASED = "lease_worker IS NULL"
_ACTIVE_UNTIL_NOW = (
    "active_ms + CASE WHEN lease_worker IS NULL THEN 0 ELSE (extract(epoch FROM now() - claimed_at) * 1000)::bigint END"
)
_LET_GO = "lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL"
_READY = f"{_LET_GO}, ready_at = now(), resumed = TRUE"
_PARK = f"{_LET_GO}, ready_at = NULL"
_END = f"{_PARK}, finished_at = now()"
_END_DATA = """json_strip_nulls(json_build_object(
    'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text,
    'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel' THEN control_by END),
    'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel' THEN control_reason END),
    'continuedAs', continued_as,
    'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))"""

# What the end of a run means to its parent and to its children is told by the scheduler; nothing but the run's own row is
# read for it, so that it holds for every end.
_TOLD = """, told AS (
        INSERT INTO outbox (id, tenant, target_run_id, effect, data)
        SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
            json_build_object('run', id, 'key', parent_key, 'status', status)
        FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
        UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
        FROM moved WHERE status = 'CANCELED' AND children > 0
    )"""
# While a run is leased nobody opens a wait of it, so that its worker's statement sees them all; for other ends see `models.ends`.
_CLOSED = """, closed AS (
        UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
        FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
    )"""


def _is(state: State) -> str:
    kind = f" AND pause_kind = '{state.pause_kind}'" if state.pause_kind else ""
    return f"(status = '{state.status}'{kind})"


def _sources(*verbs: Verb) -> str:
    states = sorted({_is(state) for verb in verbs for state in MOVES[verb].sources})
    return f"({' OR '.join(states)})"


def _literal(word: str | None) -> str:
    return "NULL" if word is None else f"'{word}'"


def _move(
    verb: Verb,
    sets: str,
    guard: str,
    *,
    data: str = "NULL::json",
    payload: str | None = None,
    first: str = "",
    then: str = "",
) -> str:
    """Write the statement of a move with one verb."""
    move = MOVES[verb]
    changes = (
        f"status = '{move.target.status}', pause_kind = {_literal(move.target.pause_kind)}, reason = %(reason)s, {sets}"
    )
    where = f"{_sources(verb)} AND {guard}"
    event, named = f"'{move.event}'", f"'{verb}'"
    return _statement(changes, where, event=event, verb=named, data=data, payload=payload, first=first, then=then)


def _statement(
    changes: str, where: str, *, event: str, verb: str, data: str, payload: str | None, first: str = "", then: str = ""
) -> str:
    """Write a move: `changes` and `where` on the run, `event`, `verb` and `data` over the changed row.

    `first` and `then` are further parts over `moved`, before and after the event, each beginning with a comma.
    """
    paid = f", paid AS (UPDATE payload SET {payload} FROM moved WHERE payload.run_id = moved.id)" if payload else ""
    return f"""
    WITH moved AS (
        UPDATE run SET status_was = status, {changes}, seq = seq + 1, updated_at = now()
        WHERE id = %(run)s AND {where}
        RETURNING *
    ){first}, noted AS (
        INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
        SELECT id, seq, tenant, updated_at, {event}, {verb}, status, status_was, reason, {data} FROM moved
        RETURNING *
    ){paid}{then}
    SELECT noted.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker FROM noted JOIN moved ON moved.id = noted.run_id
    """


# ------------------------------------------------------------------------------------------------ a worker takes a run
_TAKEN = """moved.queue, moved.agent, moved.epoch, moved.lease_worker, moved.user_id, moved.activations, moved.timeout_ms,
        moved.active_ms, moved.step_count, moved.log_bytes, moved.inbox, moved.approval_strategy, payload.input::text AS input,
        (SELECT json_object_agg(name, value) FROM label WHERE run_id = moved.id AND kind = 'metadata') AS metadata,
        EXISTS (SELECT FROM step WHERE run_id = moved.id) AS has_steps,
        EXISTS (SELECT FROM wait WHERE run_id = moved.id) AS has_waits"""
_CLAIM = f"""
    WITH moved AS (
        UPDATE run SET status_was = status, status = 'RUNNING', reason = NULL, lease_worker = %(worker)s, ticket_at = NULL,
            ready_at = NULL, resumed = TRUE, claimed_at = now(), started_at = coalesce(started_at, now()), recorded_n = 0,
            step_in_flight = NULL, activations = activations + 1, agent_version = (%(versions)s::json ->> agent),
            seq = seq + 1, updated_at = now()
        WHERE id = %(run)s AND {_sources(Verb.START, Verb.CONTINUE)} AND epoch = %(epoch)s
            AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE) AND control_request IS NULL
            AND agent = ANY(%(served)s::text[])
            AND (status <> 'QUEUED' OR expires_at IS NULL OR expires_at > now())
        RETURNING *
    ), noted AS (
        INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, data)
        SELECT id, seq, tenant, updated_at,
            CASE status_was WHEN 'QUEUED' THEN '{MOVES[Verb.START].event}' ELSE '{MOVES[Verb.CONTINUE].event}' END,
            CASE status_was WHEN 'QUEUED' THEN '{Verb.START}' ELSE '{Verb.CONTINUE}' END, status, status_was,
            json_build_object('worker', %(label)s::text, 'activation', activations,
                'promotedAt', to_char(promoted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        FROM moved RETURNING *
    )
    SELECT noted.*, {_TAKEN} FROM noted JOIN moved ON moved.id = noted.run_id JOIN payload ON payload.run_id = moved.id
    """
# What `claim` gave, for a worker whose claim was committed although its acknowledgement was lost.
CLAIMED = f"""
    SELECT moved.id AS run_id, moved.tenant, moved.status, {_TAKEN} FROM run AS moved JOIN payload ON payload.run_id = moved.id
    WHERE moved.id = %(run)s AND moved.epoch = %(epoch)s AND moved.lease_worker = %(worker)s
    """


def claim(run: UUID, epoch: int, worker: UUID, *, label: str, versions: str, served: list[str]) -> Statement:
    """`start` or `continue`: take the run whose ticket carries this epoch; an epoch is claimed at most once, ever.

    `versions` is a JSON object of agent name to code digest. The row carries all that an activation needs.
    """
    return Statement(
        _CLAIM, {"run": run, "epoch": epoch, "worker": worker, "label": label, "versions": versions, "served": served}
    )


# ------------------------------------------------------------------------------------------- an activation ends its run
_SUCCEED = _move(
    Verb.SUCCEED, f"{_END}, recorded_n = %(n)s, active_ms = active_ms + %(active_ms)s", _FENCE,
    data=_END_DATA, payload="result = %(result)s::json", then=_TOLD + _CLOSED,
)  # fmt: skip
# A restart is no finish: it gives way to a cancel and to a pause.
_RESTART = _move(
    Verb.SUCCEED, f"{_END}, recorded_n = %(n)s, active_ms = active_ms + %(active_ms)s, continued_as = %(successor)s",
    f"{_FENCE} AND {_NOTHING_ASKED}", data=_END_DATA, payload="result = 'null'::json", then=_TOLD + _CLOSED,
)  # fmt: skip
_FAIL = _move(
    Verb.FAIL, f"{_END}, recorded_n = %(n)s, active_ms = active_ms + %(active_ms)s", _FENCE,
    data=_END_DATA, payload="error = %(error)s::json", then=_TOLD + _CLOSED,
)  # fmt: skip
_CANCEL = _move(
    Verb.CANCEL, f"{_END}, active_ms = active_ms + %(active_ms)s", _FENCE, data=_END_DATA, then=_TOLD + _CLOSED
)


def _ended(**params: Any) -> dict[str, Any]:
    return {"reason": None, "in_flight": None, "stopped": None, "by": None, "comment": None, **_effects(), **params}


def _effects() -> dict[str, Any]:
    return {"to_parent": new_id(), "to_children": new_id()}


def succeed(run: UUID, epoch: int, worker: UUID, *, n: int, result: str, active_ms: int) -> Statement:
    """Finish the run with its result (JSON text). A cancel that is pending came too late, and the event says so."""
    return Statement(_SUCCEED, _ended(run=run, epoch=epoch, worker=worker, n=n, result=result, active_ms=active_ms))


def restart(run: UUID, epoch: int, worker: UUID, *, n: int, active_ms: int, successor: UUID) -> Statement:
    """Finish the run without a result, because another takes over from it; see `models.successors`."""
    at = _ended(run=run, epoch=epoch, worker=worker, n=n, active_ms=active_ms)
    return Statement(_RESTART, {**at, "successor": successor})


def fail(
    run: UUID, epoch: int, worker: UUID, *, n: int, reason: str, error: str, active_ms: int,
    in_flight: str | None = None, stopped: str | None = None,
) -> Statement:  # fmt: skip
    """Finish the run with its error (JSON text)."""
    params = _ended(run=run, epoch=epoch, worker=worker, n=n, error=error, active_ms=active_ms)
    return Statement(_FAIL, {**params, "reason": reason, "in_flight": in_flight, "stopped": stopped})


def cancel_executing(
    run: UUID, epoch: int, worker: UUID, *, active_ms: int, in_flight: str | None, stopped: str,
    by: str | None = None, comment: str | None = None, reason: Reason = Reason.BY_USER,
) -> Statement:  # fmt: skip
    """Complete a cancel on the worker that executed the run; `stopped` says how its code was brought to an end."""
    params = _ended(run=run, epoch=epoch, worker=worker, active_ms=active_ms, in_flight=in_flight, stopped=stopped)
    return Statement(_CANCEL, {**params, "reason": reason, "by": by, "comment": comment})


# --------------------------------------------------------------------------------- an activation ends without an outcome
# One statement for hand-back and recovery, because what is pending on the row decides: cancel beats pause beats going on,
# and a run that crashed or lost its worker too often fails.
_WORN_OUT = "(crashes + %(crash)s >= %(crash_limit)s OR losses + %(loss)s >= %(loss_limit)s)"
_RELEASED = f"""CASE WHEN control_request = 'cancel' THEN '{MOVES[Verb.CANCEL].target.status}'
            WHEN %(crash)s + %(loss)s > 0 AND {_WORN_OUT} THEN '{MOVES[Verb.FAIL].target.status}'
            WHEN control_request = 'pause' THEN '{MOVES[Verb.PAUSE_BY_USER].target.status}' ELSE 'RUNNING' END"""
# A pause and a cancel are asked for by somebody who has a name, except a cancel that comes from the parent.
_ASKED = (
    f"CASE WHEN control_by IS NULL AND control_request = 'cancel' THEN '{Reason.BY_PARENT}' ELSE '{Reason.BY_USER}' END"
)
_BY_OUTCOME = "CASE status WHEN 'CANCELED' THEN {} WHEN 'FAILED' THEN {} WHEN 'PAUSED' THEN {} ELSE {} END"
_RELEASE = _statement(
    f"""status = {_RELEASED},
            pause_kind = CASE {_RELEASED} WHEN 'PAUSED' THEN 'user' END,
            reason = CASE {_RELEASED} WHEN 'RUNNING' THEN %(reason)s WHEN 'FAILED' THEN %(worn_out)s ELSE {_ASKED} END,
            finished_at = CASE WHEN {_RELEASED} IN ('CANCELED', 'FAILED') THEN now() END,
            ready_at = CASE {_RELEASED} WHEN 'RUNNING' THEN now() END,
            control_request = CASE WHEN {_RELEASED} IN ('PAUSED', 'RUNNING') THEN NULL ELSE control_request END,
            control_reason = CASE WHEN control_request = 'window' THEN NULL ELSE control_reason END,
            {_LET_GO}, resumed = TRUE, epoch = epoch + 1, crashes = crashes + %(crash)s, losses = losses + %(loss)s,
            active_ms = {_ACTIVE_UNTIL_NOW}""",
    f"{_sources(Verb.RECOVER)} AND {_FENCE}",
    event=_BY_OUTCOME.format("'end'", "'end'", "'status'", "'status'"),
    verb=_BY_OUTCOME.format("'cancel'", "'fail'", "'pause_by_user'", "%(verb)s"),
    data="""json_strip_nulls(json_build_object(
            'stepInFlight', coalesce(%(in_flight)s::text, step_in_flight), 'stopped', %(stopped)s::text,
            'by', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_by END,
            'comment', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_reason END, 'cause', %(reason)s::text))""",
    payload="error = CASE moved.status WHEN 'FAILED' THEN %(error)s::json END",
    then=_TOLD + _CLOSED,
)


def release(
    run: UUID,
    epoch: int,
    worker: UUID,
    *,
    verb: Verb,
    reason: Reason,
    error: str | None = None,
    in_flight: str | None = None,
    stopped: str | None = None,
) -> Statement:
    """`recover` or `hand_back`: make the run ready again, unless a request or a limit decides otherwise.

    A recovery counts: HOST_LOST a crash, WORKER_LOST a loss; the run FAILS at the third crash or the eleventh loss with
    `error`. A hand-back counts nothing. `in_flight` names the step for the event, where the row may not show it yet.
    """
    lost_host = verb is Verb.RECOVER and reason is Reason.HOST_LOST
    lost_worker = verb is Verb.RECOVER and reason is Reason.WORKER_LOST
    return Statement(
        _RELEASE,
        {
            "run": run, "epoch": epoch, "worker": worker, "verb": verb, "reason": reason, "error": error,
            "in_flight": in_flight, "stopped": stopped, "crash": int(lost_host), "loss": int(lost_worker),
            "crash_limit": CRASH_LIMIT, "loss_limit": LOSS_LIMIT, "worn_out": Reason.CRASHED if lost_host else Reason.WORKER_LOST,
            **_effects(),
        },
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- somebody outside ends the run
_CANCEL_IDLE = _move(Verb.CANCEL, _END, f"tenant = %(tenant)s AND {_NOT_LEASED}", data=_END_DATA, then=_TOLD)
_CANCEL_OVERDUE = _move(
    Verb.CANCEL, f"{_END}, epoch = epoch + 1, active_ms = {_ACTIVE_UNTIL_NOW}",
    "control_request = 'cancel' AND control_at + (control_grace_ms + 5000) * interval '1 ms' < now()", data=_END_DATA,
    then=_TOLD,
)  # fmt: skip
_FAIL_IDLE = _move(Verb.FAIL, _END, _NOT_LEASED, data=_END_DATA, payload="error = %(error)s::json", then=_TOLD)


def cancel_idle(run: UUID, tenant: str, *, reason: Reason, by: str | None, comment: str | None) -> Statement:
    """Cancel a run that no worker executes: at once, its ticket withdrawn."""
    return Statement(_CANCEL_IDLE, {**_ended(run=run, by=by, comment=comment), "tenant": tenant, "reason": reason})


def cancel_overdue(run: UUID, *, in_flight: str | None, reason: Reason = Reason.BY_USER) -> Statement:
    """Complete a cancel that its worker did not answer within the grace and five seconds; fences that worker."""
    return Statement(_CANCEL_OVERDUE, {**_ended(run=run, in_flight=in_flight, stopped="fenced"), "reason": reason})


def fail_idle(run: UUID, *, reason: Reason, error: str, by: str | None = None, comment: str | None = None) -> Statement:
    """Fail a run that no worker executes: its queue time ran out, or somebody refused what it waits for."""
    return Statement(_FAIL_IDLE, {**_ended(run=run, by=by, comment=comment), "reason": reason, "error": error})


# --------------------------------------------------------------------------------------------------- waiting and resuming
_PARKED = f"{_PARK}, {_ANSWERED}, pending_waits = %(pending)s, active_ms = active_ms + %(active_ms)s"
_UNDISTURBED = f"{_FENCE} AND inbox = %(inbox)s AND {_NOTHING_ASKED}"
# The waits are inserted by the statement that parks the run: a run is never parked without what it waits for. The event says
# what a person is asked (never a token: links are made when it is delivered), or until when the run waits.
_WITH_WAITS = """, opened AS (
        INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
        SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
            now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
        FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
            on_due text, nonce text, digest text, grant_key text)
        ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
        RETURNING *
    )"""
_FIRST = "(SELECT {} FROM opened WHERE kind = '{}' ORDER BY id LIMIT 1)"
_SAID = {
    Verb.REQUIRE_AUTHORIZATION: _FIRST.format(told("opened"), "authorization"),
    Verb.AWAIT_APPROVAL: _FIRST.format(told("opened"), "approval"),
    Verb.PAUSE_BY_AGENT: f"""json_build_object('waits', (SELECT json_agg(json_build_object('waitId', id, 'kind', kind,
        'expiresAt', {moment("due_at")}) ORDER BY id) FROM (SELECT * FROM opened ORDER BY id LIMIT {MOST_SHOWN}) AS few))""",
}
_PARKS = {verb: _move(verb, _PARKED, _UNDISTURBED, data=said, first=_WITH_WAITS) for verb, said in _SAID.items()}
# Nobody but the scheduler ends this wait, and it takes back what it asked first: no inbox needs to be guarded.
_PARK_FOR_WINDOW = _move(
    Verb.PAUSE_BY_AGENT, _PARKED, f"{_FENCE} AND control_request = 'window'", data=_SAID[Verb.PAUSE_BY_AGENT],
    first=_WITH_WAITS,
)  # fmt: skip
_WHO = "json_strip_nulls(json_build_object('by', control_by, 'comment', control_reason))"
_PAUSE_EXECUTING = _move(
    Verb.PAUSE_BY_USER, f"{_PARK}, control_request = NULL, active_ms = active_ms + %(active_ms)s",
    f"{_FENCE} AND control_request = 'pause'", data=_WHO,
)  # fmt: skip
_PAUSE_IDLE = _move(
    Verb.PAUSE_BY_USER, f"{_PARK}, control_request = NULL, control_by = %(by)s, control_reason = %(comment)s", _NOT_LEASED,
    data=_WHO,
)  # fmt: skip
_RESUME = _move(
    Verb.RESUME, f"{_READY}, pending_waits = 0, control_by = NULL, control_reason = NULL", "control_request IS NULL",
    data="json_strip_nulls(json_build_object('by', %(by)s::text))",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewWait:
    """A wait that a park opens; `request` is what whoever answers it is shown.

    When `due_ms` milliseconds from its opening have passed, `on_due` is its outcome. `digest` is that of what a person is
    shown, `nonce` what the token of the link is derived from, `grant_key` the grant that an authorization waits for.
    """

    key: str
    kind: str
    request: Mapping[str, Any] = field(default_factory=dict)
    due_ms: int | None = None
    on_due: str | None = None
    nonce: str | None = None
    digest: str | None = None
    grant_key: str | None = None
    id: UUID = field(default_factory=new_id)


def park(
    verb: Verb,
    run: UUID,
    epoch: int,
    worker: UUID,
    *,
    inbox: int,
    active_ms: int,
    reason: Reason,
    waits: Sequence[NewWait] = (),
    wake: str = "all",
) -> Statement:
    """End the activation because the run waits; nothing happens when a signal or a request came since `inbox` was read.

    The run wakes when `all` or `any` of its waits are over. A wait that is open already stays as it is.
    """
    pending = len(waits) if wake == "all" else 1
    at = {"run": run, "epoch": epoch, "worker": worker, "inbox": inbox, "active_ms": active_ms, "reason": reason}
    return Statement(_PARKS[verb], {**at, "wake": wake, "pending": pending, "waits": _opened(waits)})


def park_for_window(run: UUID, epoch: int, worker: UUID, *, active_ms: int, window: str) -> Statement:
    """Park the run at a step edge because its window closed. No row: that is not asked for, or no more."""
    at = {"run": run, "epoch": epoch, "worker": worker, "active_ms": active_ms, "reason": Reason.WINDOW_CLOSED}
    opened = _opened([NewWait("window", "window", {"window": window})])
    return Statement(_PARK_FOR_WINDOW, {**at, "wake": "all", "pending": 1, "waits": opened})


def _opened(waits: Sequence[NewWait]) -> str:
    return json.dumps([{**asdict(wait), "id": str(wait.id)} for wait in waits], ensure_ascii=False)


def pause_executing(run: UUID, epoch: int, worker: UUID, *, active_ms: int) -> Statement:
    """Park the run at a step edge because a user asked for a pause."""
    params = {"run": run, "epoch": epoch, "worker": worker, "active_ms": active_ms, "reason": Reason.BY_USER}
    return Statement(_PAUSE_EXECUTING, params)


def pause_idle(run: UUID, *, by: str | None = None, comment: str | None = None) -> Statement:
    """Park a started run that no worker executes because a user asked for a pause."""
    return Statement(_PAUSE_IDLE, {"run": run, "reason": Reason.BY_USER, "by": by, "comment": comment})


def resume(run: UUID, *, reason: Reason, by: str | None = None) -> Statement:
    """Make a parked run ready again; belongs into the transaction that satisfies its wait."""
    return Statement(_RESUME, {"run": run, "reason": reason, "by": by})
