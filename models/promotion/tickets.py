"""The ticket on the run row: which runs are promoted. Promotion changes no status and writes no event.

`ticket_at` is set while the run's ticket is out; the claim or a withdrawal clears it. The ticket itself carries only the run's id
and epoch: a lost or doubled ticket costs latency, nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL, DECLINED, NOT_BEFORE, PLACE
from models.sql.locking import locked_in_order
from models.statement import Statement

# Without `coalesce` the planner sees that the ready index holds just these rows, and may read the whole backlog for each
# promotion instead of a few rows by their keys (measured: 0.41 ms instead of 0.07 with 500 ready runs).
_WAITING = (
    """coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL, FALSE)"""
)
# A start counts for a whole period after the end of its slot: never too short, and too long by one slot at most.
_SLOT_END = "to_timestamp(ceil(extract(epoch FROM now())::float8 / %(slot_s)s::float8) * %(slot_s)s::float8)"

_REQUESTED = "SELECT * FROM unnest(%(runs)s::uuid[], %(tags)s::float8[]) AS requested (id, next_tag)"
# Decides which of the requested runs get a ticket: those that still wait. The epoch of each rises, so older tickets are void.
# The virtual time advances to the tag of a promoted run, so that a new tenant starts beside the others. A run that had started
# before pays for this activation with its next tag: otherwise the youngest of many runs that wake often would never be promoted.
_PROMOTE = f"""
    WITH locked AS (
        {locked_in_order(_REQUESTED, _WAITING, columns="id, fair_tag AS tag", keep=["next_tag"])}
    ), promoted AS (
        UPDATE run SET ticket_at = now(), ticket_n = 1, promoted_at = now(), epoch = epoch + 1,
            fair_tag = CASE WHEN resumed THEN coalesce(locked.next_tag, fair_tag) ELSE fair_tag END
        FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND {_WAITING}
        RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue, run.priority, run.resumed, locked.tag
    ), advanced AS (
        INSERT INTO virtual_time AS current (queue, priority, tag)
        SELECT queue, priority, max(tag) FROM promoted GROUP BY queue, priority
        ON CONFLICT (queue, priority) DO UPDATE SET tag = excluded.tag WHERE current.tag < excluded.tag
    ), starts AS (
        INSERT INTO rate_slot AS slot (queue, at, starts)
        SELECT queue, {_SLOT_END}, count(*) FROM promoted WHERE NOT resumed AND %(slot_s)s::float8 IS NOT NULL GROUP BY queue
        ON CONFLICT (queue, at) DO UPDATE SET starts = slot.starts + excluded.starts
    )
    SELECT * FROM promoted
    """
_OUT = "coalesce(ticket_at IS NOT NULL, FALSE)"
# Decides which tickets are published again: those that no worker claimed within 5 s, 10 s, … 60 s of the last time. The exponent
# is bounded: a ticket that stays unclaimed for a day would overflow it, and fail the statement for its whole queue.
_REPUBLISH = f"""
    WITH unclaimed AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NULL AND queue = %(queue)s AND ticket_at IS NOT NULL
            AND ticket_at + least(60, 5 * power(2, least(ticket_n, 5) - 1)) * interval '1 s' < now()
    ), locked AS (
        {locked_in_order("SELECT id FROM unclaimed LIMIT 500", _OUT)}
    )
    UPDATE run SET ticket_n = ticket_n + 1, ticket_at = now()
    FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND ticket_at IS NOT NULL
    RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue
    """
# Withdraws the ticket that its worker could not take, if it is still out.
_DECLINE = """
    UPDATE run SET ticket_at = NULL, blocked_on = %(gate)s,
        blocked_until = now() + (0.5 + random()) * %(back_off_s)s * interval '1 s'
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING id
    """
_TIMED = f"blocked_on IN ('{DECLINED}', '{NOT_BEFORE}')"
_DUE = f"""(SELECT id FROM run WHERE blocked_on = '{DECLINED}' AND {BLOCKED_UNTIL} < now() LIMIT 500)
            UNION ALL (SELECT id FROM run WHERE blocked_on = '{NOT_BEFORE}' AND {BLOCKED_UNTIL} <= now() LIMIT 500)"""
# Opens the gates of declined tickets and of `notBefore` that are due. A run that may begin now asks for its places if it
# competes for any; a run whose ticket was declined holds them.
_LIFT = f"""
    WITH due AS (
        {locked_in_order(_DUE, _TIMED)}
    ), lifted AS (
        UPDATE run SET blocked_on = CASE WHEN lined AND blocked_on = '{NOT_BEFORE}' THEN '{PLACE}' END, blocked_until = NULL
        FROM due WHERE run.id = ANY (ARRAY[due.id]) AND {_TIMED}
        RETURNING run.id, run.queue, run.blocked_on
    ), place_checks AS (
        INSERT INTO place_change (run_id) SELECT id FROM lifted WHERE blocked_on = '{PLACE}'
    )
    SELECT queue FROM lifted
    """
# Finds when the next gate of these opens: the head of the index, once for each kind.
_NEXT_LIFT = f"""
    SELECT extract(epoch FROM least(
        (SELECT {BLOCKED_UNTIL} FROM run WHERE blocked_on = '{DECLINED}' ORDER BY {BLOCKED_UNTIL} LIMIT 1),
        (SELECT {BLOCKED_UNTIL} FROM run WHERE blocked_on = '{NOT_BEFORE}' ORDER BY {BLOCKED_UNTIL} LIMIT 1)
    ) - now())::float AS seconds
    """
# Withdraws the tickets of runs behind a gate that closed. A run that a worker has claimed by now keeps its lease.
_WITHDRAW = f"""
    WITH gated AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NULL AND ticket_at IS NOT NULL
            AND (window_name = ANY(%(windows)s::text[]) OR queue = ANY(%(queues)s::text[]) OR agent = ANY(%(agents)s::text[]))
    ), locked AS (
        {locked_in_order("SELECT id FROM gated LIMIT 500", _OUT)}
    )
    UPDATE run SET ticket_at = NULL FROM locked
    WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING run.id, run.queue
    """


RESUMED_IN_A_ROW = 3
"""Of four consecutive promotions of a queue at least one is of a new run, while a new run waits."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket to publish: the right to claim this run at this epoch. `ticket_n` counts how often it was published."""

    id: UUID
    epoch: int
    ticket_n: int
    agent: str
    queue: str


@dataclass(frozen=True, slots=True)
class WithdrawnTicket:
    """A run whose ticket was taken back before a worker claimed it."""

    id: UUID
    queue: str


def promote(
    runs: Sequence[UUID], tags: Sequence[float | None] | None = None, *, slot_s: float | None = None
) -> Statement[Ticket]:
    """Promote those of these runs that still wait: each gets a ticket and the next epoch. The rows are the tickets, unordered.

    `tags` are the next tags of runs that had started before (None: unchanged). `slot_s` is the length of the slots that count
    starts of new runs, for a queue with a rate.
    """
    next_tags = [None] * len(runs) if tags is None else list(tags)
    return Statement(_PROMOTE, {"runs": list(runs), "tags": next_tags, "slot_s": slot_s}, Ticket)


def republish(queue: str) -> Statement[Ticket]:
    """Renew the unclaimed tickets of a queue after 5 s, doubled by each try up to 60 s. The rows are the tickets to publish."""
    return Statement(_REPUBLISH, {"queue": queue}, Ticket)


def decline(run: UUID, epoch: int, *, draining: bool) -> Statement[UUID]:
    """Decline a ticket: the run is ready again immediately if the worker drains, otherwise behind a short back-off gate.

    The gate opens at a random time: workers fetch in a rhythm, and a ticket in the same rhythm would always meet the same worker.
    """
    gate = None if draining else DECLINED
    return Statement(_DECLINE, {"run": run, "epoch": epoch, "gate": gate, "back_off_s": None if draining else 1}, UUID)


def withdraw(*, windows: list[str], queues: list[str], agents: list[str]) -> Statement[WithdrawnTicket]:
    """Withdraw the unclaimed tickets of runs whose gate closed: they are ready again, and promoted when it opens."""
    return Statement(_WITHDRAW, {"windows": windows, "queues": queues, "agents": agents}, WithdrawnTicket)


def lift() -> Statement[str]:
    """Open the gates that are due: of declined tickets, and of runs with `notBefore`. The rows are the queues of the runs."""
    return Statement(_LIFT, {}, str)


def next_lift() -> Statement[float]:
    """Read in how many seconds the next of these gates opens, or None if none is closed."""
    return Statement(_NEXT_LIFT, {}, float)
