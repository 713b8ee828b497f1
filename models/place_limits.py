"""What becomes of places when people change how many there are, or what keeps them.

What is in flight goes on, and counts. What has a place beyond the limit and does not execute yet asks for it again, so that
nothing is promoted that exceeds what was said last. All places are looked through for it: nobody changes limits often.

Runs that somebody decides about at the moment are left out; the queue is looked at again for them.
"""

from models.places import BATCH
from models.row_gates import PLACE, TENANT_LINE
from models.statement import Statement

_UNCOUNTED = f"""(ticket_at IS NOT NULL OR lease_worker IS NOT NULL) AND queue = %(queue)s
            AND NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id AND place.line = {TENANT_LINE})"""
_COUNT_IN = f"""
    WITH chosen AS (
        SELECT id FROM run WHERE {_UNCOUNTED} ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    ), counted AS (
        UPDATE run SET lined = TRUE FROM chosen
        WHERE run.id = chosen.id AND coalesce(ticket_at IS NOT NULL OR lease_worker IS NOT NULL, FALSE)
        RETURNING run.*
    )
    INSERT INTO place (line, run_id, tenant) SELECT {TENANT_LINE}, id, tenant FROM counted AS run
    ON CONFLICT DO NOTHING RETURNING run_id
    """
_COUNT_LATER = f"""
    INSERT INTO place_change (queue) SELECT %(queue)s WHERE EXISTS (SELECT FROM run WHERE {_UNCOUNTED}) RETURNING id
    """
_MOST = "CASE WHEN starts_with(place.line, 'key:') THEN queue.key_limit ELSE queue.tenant_limit END"
_OF_QUEUE = """(starts_with(place.line, 'key:' || queue.name || chr(10))
            OR starts_with(place.line, 'tenant:' || queue.name || chr(10)))"""
_IDLE = "coalesce(ready_at IS NOT NULL AND ticket_at IS NULL, FALSE)"
# Those that never began give theirs first, the last in the order of promotion before the others. Who was parked with its key
# keeps it.
_TAKE_BACK = f"""
    WITH crowded AS (
        SELECT place.line, count(*) - {_MOST} AS over, queue.hold_keys AND starts_with(place.line, 'key:') AS kept
        FROM place JOIN queue ON {_OF_QUEUE} WHERE queue.name = %(queue)s
        GROUP BY place.line, key_limit, tenant_limit, hold_keys HAVING count(*) > {_MOST}
    ), ranked AS (
        SELECT run.id, line, over,
            row_number() OVER (PARTITION BY line ORDER BY resumed, priority, fair_tag DESC, run.id DESC) AS n
        FROM crowded JOIN place USING (line) JOIN run ON run.id = place.run_id WHERE {_IDLE} AND NOT (resumed AND kept)
    ), surplus AS (
        SELECT id, line FROM ranked WHERE n <= over
    ), chosen AS (
        SELECT locked.id FROM (SELECT DISTINCT id FROM surplus ORDER BY id) AS wanted CROSS JOIN LATERAL (
            SELECT id FROM run WHERE run.id = wanted.id AND {_IDLE} FOR UPDATE SKIP LOCKED
        ) AS locked
    ), asking AS (
        UPDATE run SET blocked_on = '{PLACE}', blocked_until = NULL FROM chosen WHERE run.id = chosen.id AND {_IDLE}
        RETURNING run.id
    ), taken AS (
        DELETE FROM place USING surplus JOIN asking USING (id) WHERE place.line = surplus.line AND place.run_id = surplus.id
    ), later AS (
        INSERT INTO place_change (queue) SELECT %(queue)s WHERE EXISTS (
            SELECT FROM surplus WHERE NOT EXISTS (SELECT FROM chosen WHERE chosen.id = surplus.id))
    )
    INSERT INTO place_change (run_id) SELECT id FROM asking RETURNING run_id
    """
_LET_GO = """
    INSERT INTO place_change (run_id) SELECT DISTINCT place.run_id
    FROM place JOIN run ON run.id = place.run_id JOIN queue ON queue.name = run.queue
    WHERE queue.name = %(queue)s AND NOT hold_keys AND ready_at IS NULL AND lease_worker IS NULL
    RETURNING run_id
    """


def count_in(queue: str) -> Statement:
    """Give places, whatever the limit, to runs in flight that were promoted before their queue limited tenants."""
    return Statement(_COUNT_IN, {"queue": queue})


def count_later(queue: str) -> Statement:
    """Have the queue looked at again if such a run is left. No row: none is."""
    return Statement(_COUNT_LATER, {"queue": queue})


def take_back(queue: str) -> Statement:
    """Take places beyond the limits of the queue back from runs that do not execute yet; they ask again. Rows: these runs."""
    return Statement(_TAKE_BACK, {"queue": queue})


def let_go(queue: str) -> Statement:
    """Have parked runs looked at that hold their keys, if their queue lets them no more. Rows: these runs."""
    return Statement(_LET_GO, {"queue": queue})
