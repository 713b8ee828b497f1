"""The ticket on the run row: which runs are promoted. Promotion changes no status and writes no event.

`ticket_at` says that the run's ticket is out; the claim, or whoever withdraws it, clears it. The ticket itself carries
run id and epoch alone; losing or doubling it costs latency only.
"""

from uuid import UUID

from models.statement import Statement

# `coalesce` hides from the planner that the ready index holds just these rows. Without it, it may read the whole backlog
# for each promotion instead of the few rows by their keys (measured: with 500 ready runs 0.41 ms instead of 0.07).
_WAITING = (
    """coalesce(ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL, FALSE)"""
)

# Locks run rows in the order of their ids, each by its key; skips those that somebody else is deciding about: they come
# in the next tick.
# The queue's virtual time moves on to the tag of a promoted run, so that new tenants start where the others stand.
_PROMOTE = f"""
    WITH chosen AS (
        SELECT locked.id FROM (SELECT id FROM unnest(%(runs)s::uuid[]) AS id ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_WAITING} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), promoted AS (
        UPDATE run SET ticket_at = now(), ticket_n = 1, promoted_at = now(), epoch = epoch + 1
        FROM chosen WHERE run.id = chosen.id AND {_WAITING}
        RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue, run.fair_tag
    ), advanced AS (
        UPDATE queue SET virtual_time = latest.tag
        FROM (SELECT queue, max(fair_tag) AS tag FROM promoted GROUP BY queue) AS latest
        WHERE queue.name = latest.queue AND queue.virtual_time < latest.tag
    )
    SELECT * FROM promoted
    """
# The exponent is bounded: a ticket that nobody claims for a day would otherwise overflow it, for its whole queue.
_REPUBLISH = """
    WITH chosen AS (
        SELECT id FROM run WHERE queue = %(queue)s AND ticket_at IS NOT NULL
            AND ticket_at + least(60, 5 * power(2, least(ticket_n, 5) - 1)) * interval '1 s' < now()
        ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
    )
    UPDATE run SET ticket_n = ticket_n + 1, ticket_at = now()
    FROM chosen WHERE run.id = chosen.id AND ticket_at IS NOT NULL
    RETURNING run.id, run.epoch, run.ticket_n, run.agent, run.queue, run.fair_tag
    """
_DECLINE = """
    UPDATE run SET ticket_at = NULL, blocked_on = %(gate)s,
        blocked_until = now() + least(30, ticket_n) * %(back_off_s)s * interval '1 s'
    WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING id
    """
_LIFT = """
    WITH due AS (
        SELECT id FROM run WHERE blocked_on = %(gate)s AND blocked_until < now() ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
    )
    UPDATE run SET blocked_on = NULL, blocked_until = NULL FROM due WHERE run.id = due.id RETURNING run.queue
    """
# What is in flight is found by the index that holds it; a run that was claimed meanwhile is not touched.
_WITHDRAW = """
    WITH chosen AS (
        SELECT id FROM run WHERE lease_worker IS NULL AND ticket_at IS NOT NULL
            AND (window_name = ANY(%(windows)s::text[]) OR queue = ANY(%(queues)s::text[]) OR agent = ANY(%(agents)s::text[]))
        ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
    )
    UPDATE run SET ticket_at = NULL FROM chosen
    WHERE run.id = chosen.id AND coalesce(ticket_at IS NOT NULL AND lease_worker IS NULL, FALSE)
    RETURNING run.id, run.queue
    """
DECLINED = "declined"


def promote(runs: list[UUID]) -> Statement:
    """Give each of these runs that may still have one a ticket, raising its epoch; rows: what to publish, in any order."""
    return Statement(_PROMOTE, {"runs": runs})


def republish(queue: str) -> Statement:
    """Take the unclaimed tickets of a queue that are older than 5 s, doubled by each try up to 60 s. Rows: what to publish."""
    return Statement(_REPUBLISH, {"queue": queue})


def decline(run: UUID, epoch: int, *, draining: bool) -> Statement:
    """Give a ticket back unclaimed: at once ready again when the worker drains, else behind a short back-off gate."""
    gate = None if draining else DECLINED
    return Statement(_DECLINE, {"run": run, "epoch": epoch, "gate": gate, "back_off_s": None if draining else 1})


def withdraw(*, windows: list[str], queues: list[str], agents: list[str]) -> Statement:
    """Take back the unclaimed tickets of runs whose gate closed: they are ready again, and promoted when it opens."""
    return Statement(_WITHDRAW, {"windows": windows, "queues": queues, "agents": agents})


def lift_declined() -> Statement:
    """Open the back-off gates of declined tickets whose time has come."""
    return Statement(_LIFT, {"gate": DECLINED})
