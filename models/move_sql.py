"""How a move is written: one statement over the run row, its event, and what else must be true when it has happened.

A statement has the changes of the row, the guard under which they may be made, and further parts over `moved`, the row as
it is afterwards. `models.moves` says which moves there are; nobody else writes any.
"""

from models.blocked_on import PLACE
from models.lifecycle import MOVES, State, Verb

# A window that closed asks for a park at the next step edge; whatever else ends the activation serves it as well.
NOTHING_ASKED = "(control_request IS NULL OR control_request = 'window')"
CLEAR_REQUEST = "control_request = NULL, control_reason = NULL, control_at = NULL"
NOT_LEASED = "lease_worker IS NULL"
ACTIVE_UNTIL_NOW = (
    "active_ms + CASE WHEN lease_worker IS NULL THEN 0 ELSE (extract(epoch FROM now() - claimed_at) * 1000)::bigint END"
)
RELEASE_WORKER = "lease_worker = NULL, ticket_at = NULL, blocked_on = NULL, blocked_until = NULL"
# Who competes for places asks for them again: it may have given them up when it parked.
READY = f"""lease_worker = NULL, ticket_at = NULL, blocked_on = CASE WHEN lined THEN '{PLACE}' END, blocked_until = NULL,
            ready_at = now(), resumed = TRUE"""
PARK = f"{RELEASE_WORKER}, ready_at = NULL"
END = f"{PARK}, finished_at = now()"
END_DATA = """json_strip_nulls(json_build_object(
    'stepInFlight', %(in_flight)s::text, 'stopped', %(stopped)s::text, 'cleanup', %(cleanup)s::json,
    'by', coalesce(%(by)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel' THEN control_by END),
    'comment', coalesce(%(comment)s::text, CASE WHEN status = 'CANCELED' AND control_request = 'cancel' THEN control_reason END),
    'continuedAs', continued_as,
    'cancelTooLate', CASE WHEN status <> 'CANCELED' AND control_request = 'cancel' THEN TRUE END))"""

# What the end of a run means to its parent and to its children is told by the scheduler; nothing but the run's own row is
# read for it, so that it holds for every end.
NOTIFY_RELATIVES = """, told AS (
        INSERT INTO outbox (id, tenant, target_run_id, effect, data)
        SELECT %(to_parent)s::uuid, tenant, parent_run_id, 'child_ended',
            json_build_object('run', id, 'key', parent_key, 'status', status)
        FROM moved WHERE finished_at IS NOT NULL AND parent_run_id IS NOT NULL AND continued_as IS NULL
        UNION ALL SELECT %(to_children)s::uuid, tenant, id, 'parent_canceled', NULL
        FROM moved WHERE status = 'CANCELED' AND children > 0
    )"""
# While a run is leased its own activation alone opens waits of it, each before its end begins, so that its worker's statement
# sees them all. For other ends see `models.idle_ends`.
WITHDRAW_WAITS = """, closed AS (
        UPDATE wait SET resolved_at = now(), outcome = 'withdrawn'
        FROM moved WHERE wait.run_id = moved.id AND wait.resolved_at IS NULL AND moved.finished_at IS NOT NULL
    )"""

# Whoever parks or ends may free places, who goes on asks for them: the scheduler looks.
REQUEST_PLACE_CHECK = """, lined AS (INSERT INTO place_change (run_id) SELECT id FROM moved WHERE lined)"""


def _is(state: State) -> str:
    kind = f" AND pause_kind = '{state.pause_kind}'" if state.pause_kind else ""
    return f"(status = '{state.status}'{kind})"


def sources(*verbs: Verb) -> str:
    """Say, as a condition on the run row, that one of the verbs may begin from where the run is."""
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
    """Write the statement of a move with one verb."""
    to = MOVES[verb]
    changes = (
        f"status = '{to.target.status}', pause_kind = {_literal(to.target.pause_kind)}, reason = %(reason)s, {sets}"
    )
    where = f"{sources(verb)} AND {guard}"
    event, named = f"'{to.event}'", f"'{verb}'"
    return statement(changes, where, event=event, verb=named, data=data, payload=payload, first=first, then=then)


def statement(
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
    ){paid}{REQUEST_PLACE_CHECK}{then}
    SELECT noted.*, moved.queue, moved.agent, moved.epoch, moved.lease_worker FROM noted JOIN moved ON moved.id = noted.run_id
    """
