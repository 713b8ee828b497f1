"""What becomes of places when people change how many there are, or what keeps them.

What is in flight goes on, and counts. What has a place beyond the limit and does not execute yet asks for it again before it
is promoted, so that no promotion exceeds what was said last, whatever had a ticket or a worker when it was said.
"""

from collections.abc import Sequence
from uuid import UUID

from models.blocked_on import PLACE, TENANT_LINE
from models.promotion.places import BATCH, given_up
from models.statement import Statement

# By the index of what is in flight, whatever the planner thinks of the number of runs.
_UNCOUNTED = f"""flying AS MATERIALIZED (
        SELECT id, queue, tenant FROM run WHERE (ticket_at IS NOT NULL OR lease_worker IS NOT NULL) AND queue = %(queue)s
    ), uncounted AS (
        SELECT id FROM flying AS run
        WHERE NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id AND place.line = {TENANT_LINE})
    )"""
_COUNT_IN = f"""
    WITH {_UNCOUNTED}, chosen AS (
        SELECT locked.id FROM (SELECT * FROM (SELECT id FROM uncounted LIMIT {BATCH}) AS few ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id FOR UPDATE SKIP LOCKED
        ) AS locked
    ), counted AS (
        UPDATE run SET lined = TRUE FROM chosen
        WHERE run.id = ANY (ARRAY[chosen.id]) AND coalesce(ticket_at IS NOT NULL OR lease_worker IS NOT NULL, FALSE)
        RETURNING run.*
    )
    INSERT INTO place (line, run_id, tenant) SELECT {TENANT_LINE}, id, tenant FROM counted AS run
    ON CONFLICT DO NOTHING RETURNING run_id
    """
_COUNT_LATER = f"""
    WITH {_UNCOUNTED}
    INSERT INTO place_change (queue) SELECT %(queue)s WHERE EXISTS (SELECT FROM uncounted) RETURNING id
    """
_MOST = "CASE WHEN starts_with(place.line, 'key:') THEN queue.key_limit ELSE queue.tenant_limit END"
_IDLE = "coalesce(ready_at IS NOT NULL AND ticket_at IS NULL, FALSE)"
# Of the lines in which these runs hold places. Those that never began give theirs first, the last in the order of promotion
# before the others; who was parked with its key keeps it.
_TAKE_BACK = f"""
    WITH crowded AS (
        SELECT held.line, count(*) - {_MOST} AS over, queue.hold_keys AND starts_with(held.line, 'key:') AS kept
        FROM (SELECT DISTINCT line, run.queue FROM place JOIN run ON run.id = place.run_id
            WHERE place.run_id = ANY(%(runs)s::uuid[])) AS held
        JOIN queue ON queue.name = held.queue JOIN place ON place.line = held.line
        GROUP BY held.line, place.line, key_limit, tenant_limit, hold_keys HAVING count(*) > {_MOST}
    ), ranked AS (
        SELECT run.id, run.queue, crowded.line, over,
            row_number() OVER (PARTITION BY crowded.line ORDER BY resumed, priority, fair_tag DESC, run.id DESC) AS n
        FROM crowded JOIN place ON place.line = crowded.line JOIN run ON run.id = place.run_id
        WHERE {_IDLE} AND NOT (resumed AND kept)
    ), surplus AS (
        SELECT id, queue, line FROM ranked WHERE n <= over
    ), chosen AS (
        SELECT locked.id FROM (SELECT DISTINCT id FROM surplus ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_IDLE} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), asking AS (
        UPDATE run SET blocked_on = '{PLACE}', blocked_until = NULL
        FROM chosen WHERE run.id = ANY (ARRAY[chosen.id]) AND {_IDLE}
        RETURNING run.id
    ), taken AS (
        DELETE FROM place USING surplus JOIN asking USING (id)
        WHERE place.run_id = surplus.id AND {given_up("surplus.line")}
    ), looked_at AS (
        INSERT INTO place_change (run_id, queue)
        SELECT id, NULL FROM asking UNION ALL (SELECT DISTINCT NULL::uuid, queue FROM surplus)
    )
    SELECT DISTINCT id FROM surplus
    """
_LET_GO = """
    INSERT INTO place_change (run_id) SELECT DISTINCT place.run_id
    FROM place JOIN run ON run.id = place.run_id JOIN queue ON queue.name = run.queue
    WHERE queue.name = %(queue)s AND NOT hold_keys AND ready_at IS NULL AND lease_worker IS NULL
    RETURNING run_id
    """


def count_in(queue: str) -> Statement[UUID]:
    """Give places, whatever the limit, to runs in flight that were promoted before their queue limited tenants."""
    return Statement(_COUNT_IN, {"queue": queue}, UUID)


def count_later(queue: str) -> Statement[int]:
    """Have the queue looked at again if such a run is left. No row: none is."""
    return Statement(_COUNT_LATER, {"queue": queue}, int)


def take_back(runs: Sequence[UUID]) -> Statement[UUID]:
    """Take places beyond their limits in the lines of these runs back from such as do not execute yet.

    They ask again, and the lines of their queue are looked at. Rows: all that have one too many, these runs or others.
    """
    return Statement(_TAKE_BACK, {"runs": list(runs)}, UUID)


def let_go(queue: str) -> Statement[UUID]:
    """Have parked runs looked at that hold their keys, if their queue lets them no more. Rows: these runs."""
    return Statement(_LET_GO, {"queue": queue}, UUID)
