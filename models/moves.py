"""The moves of a run: the only place that writes `status`.

A move is one guarded statement. Its guard names the statuses from which it may begin (from the lifecycle table) and, for a
worker's move, the epoch and the lease. It changes the run row, takes the run's next `seq` and writes the event, all or
nothing. It returns no row if another transaction decided first: read the run again and decide again.

A guard reads only columns of the run row that it updates. A statement that waited for the row's lock still sees its old
snapshot of every other table, so a guard on another table would miss what was committed while it waited.

All moves stay in one file, in the order of a run's life, so that a reader sees every way in which a status changes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from models.control_requests import WHY_CANCELED
from models.ids import new_id
from models.lifecycle import MOVES, Reason, Verb
from models.move_sql import (
    ACTIVE_UNTIL_NOW,
    CLEAR_REQUEST,
    END,
    END_DATA,
    NOT_LEASED,
    NOTHING_REQUESTED,
    NOTIFY_RELATIVES,
    OPEN_WAITS,
    PARK,
    READY,
    RELEASE_WORKER,
    WITHDRAW_WAITS,
    move,
    sources,
    statement,
)
from models.promotion.claim import Claim
from models.sql.events import question_json, rfc3339
from models.sql.fence import FENCE
from models.statement import Statement
from models.stored_event import StoredEvent

CRASH_LIMIT = 3
LOSS_LIMIT = 11
MOST_SHOWN = 20  # waits that the event of a park lists

# ------------------------------------------------------------------------------------------------ a worker takes a run
# A run that no worker has executed yet has no records to look for, unless it is a retry of another run.
_HAS = (
    "CASE WHEN moved.activations > 1 OR moved.retry_of IS NOT NULL THEN EXISTS (SELECT FROM {0} WHERE run_id = moved.id)"
    " ELSE FALSE END AS has_{0}s"
)
_TAKEN = f"""moved.queue, moved.agent, moved.epoch, moved.lease_worker, moved.user_id, moved.activations, moved.timeout_ms,
        moved.active_ms, moved.step_count, moved.log_bytes, moved.inbox, moved.approval_strategy,
        moved.lined OR moved.parent_run_id IS NOT NULL AS matters_to_others, payload.input::text AS input,
        (SELECT json_object_agg(name, value) FROM label WHERE run_id = moved.id AND kind = 'metadata') AS metadata,
        {_HAS.format("step")}, {_HAS.format("wait")}, {_HAS.format("turn")},
        (extract(epoch FROM now()) * 1000)::float8 AS now_ms, (extract(epoch FROM moved.created_at) * 1000)::float8 AS created_ms,
        (extract(epoch FROM moved.started_at) * 1000)::float8 AS started_ms"""
# Decides which worker executes the run: one whose claim names the epoch of the ticket, as long as the ticket is out.
_CLAIM = f"""
    WITH moved AS (
        UPDATE run SET status_was = status, status = 'RUNNING', reason = NULL, lease_worker = %(worker)s, ticket_at = NULL,
            ready_at = NULL, resumed = TRUE, claimed_at = now(), started_at = coalesce(started_at, now()), recorded_n = 0,
            step_in_flight = NULL, activations = activations + 1, agent_version = (%(versions)s::json ->> agent),
            seq = seq + 1, updated_at = now()
        WHERE id = %(run)s AND {sources(Verb.START, Verb.CONTINUE)} AND epoch = %(epoch)s
            AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE) AND control_request IS NULL
            AND agent = ANY(%(served)s::text[])
            AND (status <> 'QUEUED' OR expires_at IS NULL OR expires_at > now())
        RETURNING *
    ), new_event AS (
        INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, data)
        SELECT id, seq, tenant, updated_at,
            CASE status_was WHEN 'QUEUED' THEN '{MOVES[Verb.START].event}' ELSE '{MOVES[Verb.CONTINUE].event}' END,
            CASE status_was WHEN 'QUEUED' THEN '{Verb.START}' ELSE '{Verb.CONTINUE}' END, status, status_was,
            json_build_object('worker', %(label)s::text, 'activation', activations,
                'promotedAt', to_char(promoted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        FROM moved RETURNING *
    )
    SELECT new_event.*, {_TAKEN}
    FROM new_event JOIN moved ON moved.id = new_event.run_id JOIN payload ON payload.run_id = moved.id
    """
# Reads the claim again for a worker whose claim was committed although its acknowledgement was lost.
CLAIMED = f"""
    SELECT moved.id AS run_id, moved.tenant, moved.status, {_TAKEN} FROM run AS moved JOIN payload ON payload.run_id = moved.id
    WHERE moved.id = %(run)s AND moved.epoch = %(epoch)s AND moved.lease_worker = %(worker)s
    """


def claimed(run: UUID, epoch: int, worker: UUID) -> Statement[Claim]:
    """Read a claim again that was committed although its acknowledgement was lost."""
    return Statement(CLAIMED, {"run": run, "epoch": epoch, "worker": worker}, Claim)


def claim(run: UUID, epoch: int, worker: UUID, *, label: str, versions: str, served: list[str]) -> Statement[Claim]:
    """`start` or `continue`: lease the run whose ticket has this epoch; an epoch is claimed at most once, ever.

    `versions` is a JSON object of agent name to code digest. The row has all data that an activation needs.
    """
    return Statement(
        _CLAIM,
        {"run": run, "epoch": epoch, "worker": worker, "label": label, "versions": versions, "served": served},
        Claim,
    )


# ------------------------------------------------------------------------------------------- an activation ends its run
_STOPPED = f"{END}, active_ms = active_ms + %(active_ms)s"
_FINISHED = f"{_STOPPED}, recorded_n = %(n)s"
_END_PARTS = NOTIFY_RELATIVES + WITHDRAW_WAITS
# Finishes the run with its result. A finish that comes before the worker knew of a cancel wins over it.
_SUCCEED = move(Verb.SUCCEED, _FINISHED, FENCE, data=END_DATA, payload="result = %(result)s::json", then=_END_PARTS)
# Ends the run in favour of its successor. Unlike a finish, a restart yields to a cancel and to a pause.
_RESTART = move(
    Verb.SUCCEED,
    f"{_FINISHED}, continued_as = %(successor)s",
    f"{FENCE} AND {NOTHING_REQUESTED}",
    data=END_DATA,
    payload="result = 'null'::json",
    then=_END_PARTS,
)
# Finishes the run with its error, as `succeed` does with its result.
_FAIL = move(Verb.FAIL, _FINISHED, FENCE, data=END_DATA, payload="error = %(error)s::json", then=_END_PARTS)
# Ends a run whose worker has stopped its code because of a cancel.
_CANCEL = move(Verb.CANCEL, _STOPPED, FENCE, data=END_DATA, then=_END_PARTS)


def _ended(**params: Any) -> dict[str, Any]:
    unknown = dict.fromkeys(("reason", "in_flight", "stopped", "cleanup", "by", "comment"))
    return {**unknown, **_effects(), **params}


def _effects() -> dict[str, Any]:
    return {"to_parent": new_id(), "to_children": new_id()}


def succeed(run: UUID, epoch: int, worker: UUID, *, n: int, result: str, active_ms: int) -> Statement[StoredEvent]:
    """Finish the run with its result (JSON text). A pending cancel is too late, and the event records that."""
    return Statement(
        _SUCCEED, _ended(run=run, epoch=epoch, worker=worker, n=n, result=result, active_ms=active_ms), StoredEvent
    )


def restart(run: UUID, epoch: int, worker: UUID, *, n: int, active_ms: int, successor: UUID) -> Statement[StoredEvent]:
    """Finish the run without a result, because its successor continues its work; see `models.runs.successors`."""
    at = _ended(run=run, epoch=epoch, worker=worker, n=n, active_ms=active_ms)
    return Statement(_RESTART, {**at, "successor": successor}, StoredEvent)


def fail(
    run: UUID,
    epoch: int,
    worker: UUID,
    *,
    n: int,
    reason: str,
    error: str,
    active_ms: int,
    in_flight: str | None = None,
    stopped: str | None = None,
    cleanup: Sequence[str] = (),
) -> Statement[StoredEvent]:
    """Finish the run with its error (JSON text). `cleanup` names the steps with which its code undid something at the end."""
    params = _ended(run=run, epoch=epoch, worker=worker, n=n, error=error, active_ms=active_ms, cleanup=_names(cleanup))
    return Statement(_FAIL, {**params, "reason": reason, "in_flight": in_flight, "stopped": stopped}, StoredEvent)


def cancel_executing(
    run: UUID,
    epoch: int,
    worker: UUID,
    *,
    active_ms: int,
    in_flight: str | None,
    stopped: str,
    by: str | None = None,
    comment: str | None = None,
    reason: Reason = Reason.BY_USER,
    cleanup: Sequence[str] = (),
) -> Statement[StoredEvent]:
    """Complete a cancel on the worker that executed the run.

    `stopped` is how its code ended; `cleanup` names the steps with which it undid something before.
    """
    params = _ended(run=run, epoch=epoch, worker=worker, active_ms=active_ms, in_flight=in_flight, stopped=stopped)
    return Statement(
        _CANCEL, {**params, "reason": reason, "by": by, "comment": comment, "cleanup": _names(cleanup)}, StoredEvent
    )


def _names(steps: Sequence[str]) -> str | None:
    return json.dumps(list(steps)) if steps else None


# --------------------------------------------------------------------------------- an activation ends without an outcome
# The row decides the status after a release, so hand-back and recovery are one statement: first a requested cancel, then the
# limit of crashes and losses, then a requested pause; otherwise the run is ready again.
_WORN_OUT = "(crashes + %(crash)s >= %(crash_limit)s OR losses + %(loss)s >= %(loss_limit)s)"
_RELEASED = f"""CASE WHEN control_request = 'cancel' THEN '{MOVES[Verb.CANCEL].target.status}'
                WHEN %(crash)s::int + %(loss)s::int > 0 AND {_WORN_OUT} THEN '{MOVES[Verb.FAIL].target.status}'
                WHEN control_request = 'pause' THEN '{MOVES[Verb.PAUSE_BY_USER].target.status}' ELSE 'RUNNING' END"""
_REQUESTED = f"CASE control_request WHEN 'cancel' THEN {WHY_CANCELED} ELSE '{Reason.BY_USER}' END"
_BY_OUTCOME = "CASE status WHEN 'CANCELED' THEN {} WHEN 'FAILED' THEN {} WHEN 'PAUSED' THEN {} ELSE {} END"
# Releases the run from its worker. The status is decided in a subquery of the row that is updated: a CTE before the update would
# decide by the old row if the update has to wait for the row's lock.
_RELEASE = statement(
    f"""(status, pause_kind, reason, finished_at, ready_at, control_request) = (
            SELECT decided.status, CASE decided.status WHEN 'PAUSED' THEN 'user' END,
                CASE decided.status WHEN 'RUNNING' THEN %(reason)s WHEN 'FAILED' THEN %(worn_out)s ELSE {_REQUESTED} END,
                CASE WHEN decided.status IN ('CANCELED', 'FAILED') THEN now() END,
                CASE decided.status WHEN 'RUNNING' THEN now() END,
                CASE WHEN decided.status IN ('PAUSED', 'RUNNING') THEN NULL ELSE control_request END
            FROM (SELECT {_RELEASED} AS status) AS decided
        ),
            control_reason = CASE WHEN control_request = 'window' THEN NULL ELSE control_reason END,
            {RELEASE_WORKER}, resumed = TRUE, epoch = epoch + 1, crashes = crashes + %(crash)s, losses = losses + %(loss)s,
            active_ms = {ACTIVE_UNTIL_NOW}""",
    f"{sources(Verb.RECOVER)} AND {FENCE}",
    event=_BY_OUTCOME.format("'end'", "'end'", "'status'", "'status'"),
    verb=_BY_OUTCOME.format("'cancel'", "'fail'", "'pause_by_user'", "%(verb)s"),
    data="""json_strip_nulls(json_build_object(
                'stepInFlight', coalesce(%(in_flight)s::text, step_in_flight), 'stopped', %(stopped)s::text,
                'by', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_by END,
                'comment', CASE WHEN status IN ('CANCELED', 'PAUSED') THEN control_reason END, 'cause', %(reason)s::text))""",
    payload="error = CASE moved.status WHEN 'FAILED' THEN %(error)s::json END",
    then=_END_PARTS,
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
) -> Statement[StoredEvent]:
    """`recover` or `hand_back`: make the run ready again, unless a request or a limit decides otherwise.

    A recovery counts a crash (HOST_LOST) or a loss (WORKER_LOST). At the third crash or the eleventh loss the run FAILS with
    `error`. A hand-back counts nothing. `in_flight` names the step for the event if the row may not have it yet.
    """
    lost_host = verb is Verb.RECOVER and reason is Reason.HOST_LOST
    lost_worker = verb is Verb.RECOVER and reason is Reason.WORKER_LOST
    at = {"run": run, "epoch": epoch, "worker": worker, "verb": verb, "reason": reason, "error": error}
    code = {"in_flight": in_flight, "stopped": stopped}
    counts = {"crash": int(lost_host), "loss": int(lost_worker), "crash_limit": CRASH_LIMIT, "loss_limit": LOSS_LIMIT}
    worn_out = Reason.CRASHED if lost_host else Reason.WORKER_LOST
    return Statement(_RELEASE, {**at, **code, **counts, "worn_out": worn_out, **_effects()}, StoredEvent)


# ---------------------------------------------------------------------------------------- an end that no worker executes
_OVERDUE = "control_request = 'cancel' AND control_at + (control_grace_ms + 5000) * interval '1 ms' < now()"
_ERROR = "error = %(error)s::json"
# Cancels a run that no worker leases; its ticket, if one is out, can no longer be claimed.
_CANCEL_IDLE = move(Verb.CANCEL, END, f"tenant = %(tenant)s AND {NOT_LEASED}", data=END_DATA, then=NOTIFY_RELATIVES)
# Cancels a run whose worker let the grace pass. The next epoch fences that worker.
_CANCEL_OVERDUE = move(
    Verb.CANCEL,
    f"{END}, epoch = epoch + 1, active_ms = {ACTIVE_UNTIL_NOW}",
    _OVERDUE,
    data=END_DATA,
    then=NOTIFY_RELATIVES,
)
# Fails a run that no worker leases, because a person or an authorization refused what it waits for.
_FAIL_IDLE = move(Verb.FAIL, END, NOT_LEASED, data=END_DATA, payload=_ERROR, then=NOTIFY_RELATIVES)
# Fails a run that is still queued after its time to begin is over.
_EXPIRE = move(
    Verb.FAIL,
    END,
    f"{NOT_LEASED} AND status = 'QUEUED' AND expires_at <= now()",
    data=END_DATA,
    payload=_ERROR,
    then=NOTIFY_RELATIVES,
)


def cancel_idle(
    run: UUID, tenant: str, *, reason: Reason, by: str | None, comment: str | None
) -> Statement[StoredEvent]:
    """Cancel a run that no worker executes, immediately, and withdraw its ticket."""
    return Statement(
        _CANCEL_IDLE, {**_ended(run=run, by=by, comment=comment), "tenant": tenant, "reason": reason}, StoredEvent
    )


def cancel_overdue(run: UUID, *, in_flight: str | None, reason: Reason = Reason.BY_USER) -> Statement[StoredEvent]:
    """Complete a cancel that the worker did not answer within the grace and five seconds, and fence that worker."""
    return Statement(
        _CANCEL_OVERDUE, {**_ended(run=run, in_flight=in_flight, stopped="fenced"), "reason": reason}, StoredEvent
    )


def fail_idle(
    run: UUID, *, reason: Reason, error: str, by: str | None = None, comment: str | None = None
) -> Statement[StoredEvent]:
    """Fail a run that no worker executes, because a person or a provider refused what it waits for."""
    return Statement(
        _FAIL_IDLE, {**_ended(run=run, by=by, comment=comment), "reason": reason, "error": error}, StoredEvent
    )


def expire(run: UUID, *, error: str) -> Statement[StoredEvent]:
    """Fail a run that is still queued after `expiresIn`. Returns no row if it began in time or has ended."""
    return Statement(_EXPIRE, {**_ended(run=run), "reason": Reason.EXPIRED, "error": error}, StoredEvent)


# --------------------------------------------------------------------------------------------------- waiting and resuming
_PARKED = f"{PARK}, {CLEAR_REQUEST}, pending_waits = %(pending)s, active_ms = active_ms + %(active_ms)s"
_UNDISTURBED = f"{FENCE} AND inbox = %(inbox)s AND {NOTHING_REQUESTED}"
_FIRST = "(SELECT {} FROM opened WHERE kind = '{}' ORDER BY id LIMIT 1)"
# The event has the first question for people (never a token: links are made when it is delivered), or the time of each wait.
_PARK_DATA = {
    Verb.REQUIRE_AUTHORIZATION: _FIRST.format(question_json("opened"), "authorization"),
    Verb.AWAIT_APPROVAL: _FIRST.format(question_json("opened"), "approval"),
    Verb.PAUSE_BY_AGENT: f"""json_build_object('waits', (SELECT json_agg(json_build_object('waitId', id, 'kind', kind,
        'expiresAt', {rfc3339("due_at")}) ORDER BY id) FROM (SELECT * FROM opened ORDER BY id LIMIT {MOST_SHOWN}) AS shown))""",
}
# Parks the run, unless a signal or a request reached it after its activation read the inbox.
_PARKS = {verb: move(verb, _PARKED, _UNDISTURBED, data=data, first=OPEN_WAITS) for verb, data in _PARK_DATA.items()}
# Parks the run on its closed window. Only the scheduler ends this wait, and it clears the request first: no guard on the inbox.
_PARK_FOR_WINDOW = move(
    Verb.PAUSE_BY_AGENT,
    _PARKED,
    f"{FENCE} AND control_request = 'window'",
    data=_PARK_DATA[Verb.PAUSE_BY_AGENT],
    first=OPEN_WAITS,
)
_REQUESTED_BY = "json_strip_nulls(json_build_object('by', control_by, 'comment', control_reason))"
# Parks an executing run for the pause that a user requested.
_PAUSE_EXECUTING = move(
    Verb.PAUSE_BY_USER,
    f"{PARK}, control_request = NULL, active_ms = active_ms + %(active_ms)s",
    f"{FENCE} AND control_request = 'pause'",
    data=_REQUESTED_BY,
)
# Parks a started run that no worker leases; there is no request to wait for.
_PAUSE_IDLE = move(
    Verb.PAUSE_BY_USER,
    f"{PARK}, control_request = NULL, control_by = %(by)s, control_reason = %(comment)s",
    NOT_LEASED,
    data=_REQUESTED_BY,
)
# Makes a parked run ready, unless a cancel or a pause is requested of it.
_RESUME = move(
    Verb.RESUME,
    f"{READY}, pending_waits = 0, control_by = NULL, control_reason = NULL",
    "control_request IS NULL",
    data="json_strip_nulls(json_build_object('by', %(by)s::text))",
)


@dataclass(frozen=True, slots=True)
class NewWait:
    """A wait that a park opens; `request` is shown to the people who answer it.

    `due_ms` milliseconds after its opening, its outcome is `on_due`. `digest` is the digest of what a person is shown, `nonce`
    the source of the link's token, `grant_key` the grant that an authorization waits for.
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
) -> Statement[StoredEvent]:
    """Park the run on its waits. Returns no row if a signal or a request reached it after `inbox` was read.

    The run resumes when `all` or `any` of its waits are over. A wait that is already open stays unchanged.
    """
    pending = len(waits) if wake == "all" else 1
    at = {"run": run, "epoch": epoch, "worker": worker, "inbox": inbox, "active_ms": active_ms, "reason": reason}
    return Statement(_PARKS[verb], {**at, "wake": wake, "pending": pending, "waits": _opened(waits)}, StoredEvent)


def park_for_window(run: UUID, epoch: int, worker: UUID, *, active_ms: int, window: str) -> Statement[StoredEvent]:
    """Park the run at a step edge because its window closed. Returns no row if no window requests that any longer."""
    at = {"run": run, "epoch": epoch, "worker": worker, "active_ms": active_ms, "reason": Reason.WINDOW_CLOSED}
    opened = _opened([NewWait("window", "window", {"window": window})])
    return Statement(_PARK_FOR_WINDOW, {**at, "wake": "all", "pending": 1, "waits": opened}, StoredEvent)


def _opened(waits: Sequence[NewWait]) -> str:
    return json.dumps([{**asdict(wait), "id": str(wait.id)} for wait in waits], ensure_ascii=False)


def pause_executing(run: UUID, epoch: int, worker: UUID, *, active_ms: int) -> Statement[StoredEvent]:
    """Park the run at a step edge because a user requested a pause."""
    params = {"run": run, "epoch": epoch, "worker": worker, "active_ms": active_ms, "reason": Reason.BY_USER}
    return Statement(_PAUSE_EXECUTING, params, StoredEvent)


def pause_idle(run: UUID, *, by: str | None = None, comment: str | None = None) -> Statement[StoredEvent]:
    """Park a started run that no worker executes, because a user requested a pause."""
    return Statement(_PAUSE_IDLE, {"run": run, "reason": Reason.BY_USER, "by": by, "comment": comment}, StoredEvent)


def resume(run: UUID, *, reason: Reason, by: str | None = None) -> Statement[StoredEvent]:
    """Make a parked run ready again, in the transaction that ends its wait."""
    return Statement(_RESUME, {"run": run, "reason": reason, "by": by}, StoredEvent)
