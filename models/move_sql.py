"""Statement of a move: one change of the run row, its event, and everything else that must be true when it has happened.

A statement has the changes of the row, the guard under which they may be made, and further parts over `moved`, which is the row
after the change. `models.moves` defines the moves; no other module writes one.
"""

from models.blocked_on import PLACE
from models.lifecycle import MOVES, State, Verb

# A closed window requests a park at the next step edge. Any other end of the activation fulfils that request too.
NOTHING_REQUESTED = "(control_request IS NULL OR control_request = 'window')"
CLEAR_REQUEST = "control_request = NULL, control_reason = NULL, control_at = NULL"
NOT_LEASED = "lease_worker IS NULL"
ACTIVE_UNTIL_NOW = (
    "active_ms + CASE WHEN lease_worker IS NULL THEN 0 ELSE (extract(epoch FROM now() - claimed_at) * 1000)::bigint END"
)
RELEASE_WORKER = "lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL"
# A run that competes for places asks for them again: it may have freed them when it parked.
READY = f"""lease_worker = NULL, ticket_at = NULL, blocked_on = CASE WHEN lined THEN '{PLACE}' END, blocked_until = NULL,
            ready_at = now(), resumed = TRUE"""
PARK = f"{RELEASE_WORKER}, ready_at = NULL"
END = f"{PARK}, finished_at = now()"
_BY_REQUEST = "CASE WHEN status = 'CANCELED' AND control_request = 'cancel' THEN {} END"
END_DATA = f"""json_strip_nulls(json_build_object(
                'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
                'by', coalesce(%(by)s::text, {_BY_REQUEST.format("control_by")}),
                'comment', coalesce(%(comment)s::text, {_BY_REQUEST.format("control_reason")}),
                'continuedAs', continued_as,
                'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))"""

# The scheduler brings the end of a run to its parent and to its children. This part reads the run's own row alone, so that it
# holds for every end.
NOTIFY_RELATIVES = """, effects AS (
        INSERT INTO outbox (id, tenant, target_run_id, effect, data)
        SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
            json_build_object('run', id, 'key', parent_key, 'status', status)
        FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
        UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
        FROM moved WHERE status = 'CANCELED' AND children > 0
    )"""
# Only the activation that leases the run opens waits, each before its end begins, so its worker's statement sees every open wait.
# `models.idle_ends` withdraws the waits for other ends.
WITHDRAW_WAITS = """, withdrawn AS (
        UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
        FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
    )"""
# The statement that parks the run also inserts its waits: a run is never parked without what it waits for. A wait that this
# activation opened and the park does not list is not awaited any longer: it must not wake a run that is parked on another.
OPEN_WAITS = """, opened AS (
        INSERT INTO wait (id, run_id, tenant, key, kind, wake, epoch, request, due_at, on_due, nonce, digest, grant_key)
        SELECT new.id, moved.id, moved.tenant, new.key, new.kind, %(wake)s, moved.epoch, new.request,
            now() + new.due_ms * interval '1 ms', new.on_due, new.nonce, new.digest, new.grant_key
        FROM moved, json_to_recordset(%(waits)s::json) AS new (id uuid, key text, kind text, request json, due_ms bigint,
            on_due text, nonce text, digest text, grant_key text)
        ON CONFLICT (run_id, key) WHERE resolved_at IS NULL DO UPDATE SET wake = excluded.wake, epoch = excluded.epoch
        RETURNING *
    ), not_awaited AS (
        UPDATE wait SET epoch = wait.epoch - 1 FROM moved
        WHERE wait.run_id = moved.id AND wait.epoch = moved.epoch AND wait.resolved_at IS NULL
            AND wait.key NOT IN (SELECT key FROM json_to_recordset(%(waits)s::json) AS listed (key text))
    )"""

# A run that parks or ends may free places, a run that continues asks for them: the scheduler checks it.
REQUEST_PLACE_CHECK = """place_check AS (
        INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined
    )"""


def _is(state: State) -> str:
    kind = f" AND pause_kind = '{state.pause_kind}'" if state.pause_kind else ""
    return f"(status = '{state.status}'{kind})"


def sources(*verbs: Verb) -> str:
    """Return the condition on the run row that one of the verbs may begin from its state."""
    states = sorted({_is(state) for verb in verbs for state in MOVES[verb].sources})
    return f"({' OR '.join(states)})"


def _literal(word: str | None) -> str:
    return "NULL" if word is None else f"'{word}'"


def move(
    verb: Verb,
    sets: str,
    guard: str,
    *,
    data: str = "NULL::json",
    payload: str | None = None,
    first: str = "",
    then: str = "",
) -> str:
    """Return the statement of a move with one verb; see `statement`."""
    to = MOVES[verb]
    status = f"status = '{to.target.status}', pause_kind = {_literal(to.target.pause_kind)}, reason = %(reason)s"
    where = f"{sources(verb)} AND {guard}"
    event, named = f"'{to.event}'", f"'{verb}'"
    changes = f"{status},\n            {sets}"
    return statement(changes, where, event=event, verb=named, data=data, payload=payload, first=first, then=then)


def statement(
    changes: str, where: str, *, event: str, verb: str, data: str, payload: str | None, first: str = "", then: str = ""
) -> str:
    """Return the statement of a move: `changes` and `where` on the run, `event`, `verb` and `data` over the changed row.

    `first` and `then` are further parts over `moved`, before and after the event, each beginning with a comma.
    """
    stored = f"""stored AS (
        UPDATE payload SET {payload} FROM moved WHERE payload.run_id = moved.id
    ), """
    return f"""
    WITH moved AS (
        UPDATE run SET status_was = status, {changes},
            seq = seq + 1, updated_at = now()
        WHERE id = %(run)s AND {where}
        RETURNING *
    ){first}, new_event AS (
        INSERT INTO event (run_id, seq, tenant, at, type, verb, status, status_was, reason, data)
        SELECT id, seq, tenant, updated_at, {event}, {verb}, status, status_was, reason, {data}
        FROM moved RETURNING *
    ), {stored if payload else ""}{REQUEST_PLACE_CHECK}{then}
    SELECT new_event.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker
    FROM new_event JOIN moved ON moved.id = new_event.run_id
    """
