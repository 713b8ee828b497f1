"""Places after people changed a limit or `hold_keys` of a queue.

Runs in flight continue, and count. A run that has a place beyond the limit and does not execute yet asks for it again before it
is promoted. So no promotion exceeds the newest limit, whichever runs had a ticket or a worker when the limit changed.
"""

from collections.abc import Sequence
from uuid import UUID

from models.blocked_on import PLACE, TENANT_LINE
from models.promotion.places import BATCH, given_up
from models.sql.locking import locked_in_order
from models.statement import Statement

# `MATERIALIZED` keeps the planner on the index of runs in flight, however many runs it expects.
_UNCOUNTED = f"""in_flight AS MATERIALIZED (
        SELECT id, queue, tenant FROM run WHERE (ticket_at IS NOT NULL OR lease_worker IS NOT NULL) AND queue = %(queue)s
    ), uncounted AS (
        SELECT id FROM in_flight AS run
        WHERE NOT EXISTS (SELECT FROM place WHERE place.run_id = run.id AND place.line = {TENANT_LINE})
    )"""
# Counts runs in flight that were promoted before their queue limited tenants: each gets its place, whatever the limit.
_COUNT_IN = f"""
    WITH {_UNCOUNTED}, locked AS (
        {locked_in_order(f"SELECT id FROM uncounted LIMIT {BATCH}")}
    ), counted AS (
        UPDATE run SET lined = TRUE FROM locked
        WHERE run.id = ANY (ARRAY[locked.id]) AND coalesce(ticket_at IS NOT NULL OR lease_worker IS NOT NULL, FALSE)
        RETURNING run.*
    )
    INSERT INTO place (line, run_id, tenant) SELECT {TENANT_LINE}, id, tenant FROM counted AS run
    ON CONFLICT DO NOTHING RETURNING run_id
    """
# Requests another check of the queue if such a run is left.
_COUNT_LATER = f"""
    WITH {_UNCOUNTED}
    INSERT INTO place_change (queue) SELECT %(queue)s WHERE EXISTS (SELECT FROM uncounted) RETURNING id
    """
_MOST = "CASE WHEN starts_with(place.line, 'key:') THEN queue.key_limit ELSE queue.tenant_limit END"
_IDLE = "coalesce(ready_at IS NOT NULL AND ticket_at IS NULL, FALSE)"
# Takes back places beyond the limit in the lines of these runs. Runs that never began lose theirs first, the last in the order
# of promotion before the others. A run that was parked with its key keeps it.
_TAKE_BACK = f"""
    WITH crowded AS (
        SELECT held.line, count(*) - {_MOST} AS excess, queue.hold_keys AND starts_with(held.line, 'key:') AS kept
        FROM (SELECT DISTINCT line, run.queue FROM place JOIN run ON run.id = place.run_id
            WHERE place.run_id = ANY(%(runs)s::uuid[])) AS held
        JOIN queue ON queue.name = held.queue JOIN place ON place.line = held.line
        GROUP BY held.line, place.line, key_limit, tenant_limit, hold_keys HAVING count(*) > {_MOST}
    ), ranked AS (
        SELECT run.id, run.queue, crowded.line, excess,
            row_number() OVER (PARTITION BY crowded.line ORDER BY resumed, priority, fair_tag DESC, run.id DESC) AS n
        FROM crowded JOIN place ON place.line = crowded.line JOIN run ON run.id = place.run_id
        WHERE {_IDLE} AND NOT (resumed AND kept)
    ), surplus AS (
        SELECT id, queue, line FROM ranked WHERE n <= excess
    ), locked AS (
        {locked_in_order("SELECT DISTINCT id FROM surplus", _IDLE)}
    ), asking AS (
        UPDATE run SET blocked_on = '{PLACE}', blocked_until = NULL
        FROM locked WHERE run.id = ANY (ARRAY[locked.id]) AND {_IDLE}
        RETURNING run.id
    ), taken AS (
        DELETE FROM place USING surplus JOIN asking USING (id)
        WHERE place.run_id = surplus.id AND {given_up("surplus.line")}
    ), place_checks AS (
        INSERT INTO place_change (run_id, queue)
        SELECT id, NULL FROM asking UNION ALL (SELECT DISTINCT NULL::uuid, queue FROM surplus)
    )
    SELECT DISTINCT id FROM surplus
    """
# Requests a check of the parked runs that hold their keys, once their queue does not let them hold keys any longer.
_LET_GO = """
    INSERT INTO place_change (run_id) SELECT DISTINCT place.run_id
    FROM place JOIN run ON run.id = place.run_id JOIN queue ON queue.name = run.queue
    WHERE queue.name = %(queue)s AND NOT hold_keys AND ready_at IS NULL AND lease_worker IS NULL
    RETURNING run_id
    """


def count_in(queue: str) -> Statement[UUID]:
    """Assign places, beyond the limit too, to runs in flight that were promoted before their queue limited tenants."""
    return Statement(_COUNT_IN, {"queue": queue}, UUID)


def count_later(queue: str) -> Statement[int]:
    """Queue another check of the queue if such a run is left. Returns no row if none is left."""
    return Statement(_COUNT_LATER, {"queue": queue}, int)


def take_back(runs: Sequence[UUID]) -> Statement[UUID]:
    """Take places beyond the limit back in the lines of these runs, from runs that do not execute yet.

    Those runs ask again, and the lines of their queue are checked. The rows are all runs with a place too many, these or others.
    """
    return Statement(_TAKE_BACK, {"runs": list(runs)}, UUID)


def let_go(queue: str) -> Statement[UUID]:
    """Recheck parked runs that hold keys after `hold_keys` was switched off. The rows are these runs."""
    return Statement(_LET_GO, {"queue": queue}, UUID)
