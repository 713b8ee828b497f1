"""The ticket on the run row: which runs are promoted. Promotion changes no status and writes no event.

`ticket_at` says that the run's ticket is out; the claim, or whoever withdraws it, clears it. The ticket itself carries
run id and epoch alone; losing or doubling it costs latency only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.blocked_on import BLOCKED_UNTIL, DECLINED, NOT_BEFORE, PLACE
from models.statement import Statement

# `coalesce` hides from the planner that the ready index holds just these rows. Without it, it may read the whole backlog
# for each promotion instead of the few rows by their keys (measured: with 500 ready runs 0.41 ms instead of 0.07).
_WAITING = (
    """coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL, FALSE)"""
)
# A start counts until a whole period after the end of its slot: never too short, and too long by a slot at most.
_SLOT_END = "to_timestamp(ceil(extract(epoch FROM now())::float8 / %(slot_s)s::float8) * %(slot_s)s::float8)"

# Locks run rows in the order of their ids, each by its key; skips those that somebody else is deciding about: they come
# in the next tick.
# The virtual time moves on to the tag of a promoted run, so that new tenants start where the others stand. A run
# that had started before pays for this activation with its next tag: else the youngest of many that wake again and again
# would never have its turn.
_PROMOTE = f"""
    WITH chosen AS (
        SELECT locked.id, locked.tag, wanted.next_tag
        FROM (SELECT id, next_tag FROM unnest(%(runs)s::uuid[], %(tags)s::float8[]) AS asked (id, next_tag) ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id, fair_tag AS tag FROM run WHERE run.id = wanted.id AND {_WAITING} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), promoted AS (
        UPDATE run SET ticket_at = now(), ticket_n = 1, promoted_at = now(), epoch = epoch + 1,
            fair_tag = CASE WHEN resumed THEN coalesce(chosen.next_tag, fair_tag) ELSE fair_tag END
        FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND {_WAITING}
        RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue, run.priority, run.resumed, chosen.tag
    ), advanced AS (
        INSERT INTO virtual_time AS stands (queue, priority, tag)
        SELECT queue, priority, max(tag) FROM promoted GROUP BY queue, priority
        ON CONFLICT (queue, priority) DO UPDATE SET tag = excluded.tag WHERE stands.tag < excluded.tag
    ), rated AS (
        INSERT INTO rate_slot AS slot (queue, at, starts)
        SELECT queue, {_SLOT_END}, count(*) FROM promoted WHERE NOT resumed AND %(slot_s)s::float8 IS NOT NULL GROUP BY queue
        ON CONFLICT (queue, at) DO UPDATE SET starts = slot.starts + excluded.starts
    )
    SELECT * FROM promoted
    """
# What is in flight is found by the index that holds it and looked up by its keys, whatever the planner thinks of the number of
# runs: hence `MATERIALIZED`, `LATERAL` and `ANY (ARRAY[…])`, which can be no join with all runs.
# The exponent is bounded: a ticket that nobody claims for a day would otherwise overflow it, for its whole queue.
_REPUBLISH = """
    WITH unclaimed AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NULL AND queue = %(queue)s AND ticket_at IS NOT NULL
            AND ticket_at + least(60, 5 * power(2, least(ticket_n, 5) - 1)) * interval '1 s' < now()
    ), chosen AS (
        SELECT locked.id FROM (SELECT * FROM (SELECT id FROM unclaimed LIMIT 500) AS few ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND coalesce(ticket_at IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
        ) AS locked
    )
    UPDATE run SET ticket_n = ticket_n + 1, ticket_at = now()
    FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND ticket_at IS NOT NULL
    RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue
    """
_DECLINE = """
    UPDATE run SET ticket_at = NULL, blocked_on = %(gate)s,
        blocked_until = now() + (0.5 + random()) * %(back_off_s)s * interval '1 s'
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING id
    """
_TIMED = f"blocked_on IN ('{DECLINED}', '{NOT_BEFORE}')"
# A run that may begin now asks for its places, if it competes for any; one that was declined holds them.
_LIFT = f"""
    WITH due AS (
        SELECT locked.id FROM (SELECT id FROM (
            (SELECT id FROM run WHERE blocked_on = '{DECLINED}' AND {BLOCKED_UNTIL} < now() LIMIT 500)
            UNION ALL (SELECT id FROM run WHERE blocked_on = '{NOT_BEFORE}' AND {BLOCKED_UNTIL} <= now() LIMIT 500)
        ) AS over ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_TIMED} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), lifted AS (
        UPDATE run SET blocked_on = CASE WHEN lined AND blocked_on = '{NOT_BEFORE}' THEN '{PLACE}' END, blocked_until = NULL
        FROM due WHERE run.id = ANY (ARRAY[due.id]) AND {_TIMED}
        RETURNING run.id, run.queue, run.blocked_on
    ), asking AS (
        INSERT INTO place_change (run_id) SELECT id FROM lifted WHERE blocked_on = '{PLACE}'
    )
    SELECT queue FROM lifted
    """
_NEXT_LIFT = f"""
    SELECT extract(epoch FROM least(
        (SELECT {BLOCKED_UNTIL} FROM run WHERE blocked_on = '{DECLINED}' ORDER BY {BLOCKED_UNTIL} LIMIT 1),
        (SELECT {BLOCKED_UNTIL} FROM run WHERE blocked_on = '{NOT_BEFORE}' ORDER BY {BLOCKED_UNTIL} LIMIT 1)
    ) - now())::float AS seconds
    """
# A run that was claimed meanwhile is not touched.
_WITHDRAW = """
    WITH gated AS MATERIALIZED (
        SELECT id FROM run WHERE lease_worker IS NULL AND ticket_at IS NOT NULL
            AND (window_name = ANY(%(windows)s::text[]) OR queue = ANY(%(queues)s::text[]) OR agent = ANY(%(agents)s::text[]))
    ), chosen AS (
        SELECT locked.id FROM (SELECT * FROM (SELECT id FROM gated LIMIT 500) AS few ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND coalesce(ticket_at IS NOT NULL, FALSE) FOR UPDATE SKIP LOCKED
        ) AS locked
    )
    UPDATE run SET ticket_at = NULL FROM chosen
    WHERE run.id = ANY (ARRAY[chosen.id]) AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING run.id, run.queue
    """


RESUMED_IN_A_ROW = 3
"""Of four promotions of a queue in a row at least one is of a new run, while one waits."""


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
    """Give each of these runs that may still have one a ticket, raising its epoch; rows: what to publish, in any order.

    `tags` are those that runs which had started before take with them (None: their own); `slot_s` is the length of the slots
    in which the starts of new runs are counted, where their queue has a rate.
    """
    next_tags = [None] * len(runs) if tags is None else list(tags)
    return Statement(_PROMOTE, {"runs": list(runs), "tags": next_tags, "slot_s": slot_s}, Ticket)


def republish(queue: str) -> Statement[Ticket]:
    """Take the unclaimed tickets of a queue that are older than 5 s, doubled by each try up to 60 s. Rows: what to publish."""
    return Statement(_REPUBLISH, {"queue": queue}, Ticket)


def decline(run: UUID, epoch: int, *, draining: bool) -> Statement[UUID]:
    """Give a ticket back unclaimed: at once ready again when the worker drains, else behind a short back-off gate.

    The gate opens at a random moment: workers fetch in a rhythm, and a ticket that comes in the same one always meets the same.
    """
    gate = None if draining else DECLINED
    return Statement(_DECLINE, {"run": run, "epoch": epoch, "gate": gate, "back_off_s": None if draining else 1}, UUID)


def withdraw(*, windows: list[str], queues: list[str], agents: list[str]) -> Statement[WithdrawnTicket]:
    """Take back the unclaimed tickets of runs whose gate closed: they are ready again, and promoted when it opens."""
    return Statement(_WITHDRAW, {"windows": windows, "queues": queues, "agents": agents}, WithdrawnTicket)


def lift() -> Statement[str]:
    """Open the gates of runs whose time has come: of declined tickets, and of runs that were not to begin before."""
    return Statement(_LIFT, {}, str)


def next_lift() -> Statement[float]:
    """Say in how many seconds the next of these gates opens; None: there is none."""
    return Statement(_NEXT_LIFT, {}, float)
