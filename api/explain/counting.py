"""Counts of the runs before a run, in the order of their index and up to a bound.

`ORDER BY` and `LIMIT` within each part keep the planner on that index. It is read from the run's position, or from its head,
and reading stops one entry after the bound, however many runs wait.
"""

from collections.abc import Sequence

from api.explain.reading import Connection
from api.explain.snapshot import MOST_COUNTED, Ahead, Count
from models.blocked_on import BLOCKED_UNTIL
from models.statement import Statement
from models.tables.run import Run

_ENOUGH = MOST_COUNTED + 1
_READY = """queue = %(queue)s AND agent = class.agent AND window_name = class.go AND run.resumed = class.resumed
                AND ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL"""
_IN_ORDER = "ORDER BY priority DESC, fair_tag, id"
_BEFORE = "priority = %(priority)s AND (fair_tag, id) < (%(tag)s::float8, %(run)s::uuid)"


def _of_classes(which: str, condition: str) -> str:
    return f"""(SELECT count(*) FROM (
            SELECT FROM class CROSS JOIN LATERAL (
                SELECT FROM run WHERE {_READY} AND {condition} {_IN_ORDER} LIMIT {_ENOUGH}
            ) AS one WHERE {which} LIMIT {_ENOUGH}
        ) AS found)::int"""


READY_BEFORE = f"""
    WITH class AS (
        SELECT * FROM unnest(%(agents)s::text[]) AS served (agent) CROSS JOIN unnest(%(windows)s::text[]) AS may (go)
        CROSS JOIN unnest(%(kinds)s::bool[]) AS kind (resumed)
    )
    SELECT {_of_classes("TRUE", "priority > %(priority)s")} AS higher,
        {_of_classes("class.resumed = %(resumed)s", _BEFORE)} AS same,
        {_of_classes("class.resumed <> %(resumed)s", "priority = %(priority)s")} AS other
    """
_WAITS = f"blocked_on = %(line)s AND {BLOCKED_UNTIL} = '-infinity'"
IN_LINE_BEFORE = f"""
    SELECT count(*)::int AS runs FROM (
        (SELECT FROM run WHERE {_WAITS} AND priority > %(priority)s {_IN_ORDER} LIMIT {_ENOUGH})
        UNION ALL (SELECT FROM run WHERE {_WAITS} AND {_BEFORE} {_IN_ORDER} LIMIT {_ENOUGH})
        LIMIT {_ENOUGH}
    ) AS before
    """
PLACES = f"SELECT count(*)::int AS held FROM (SELECT FROM place WHERE line = %(line)s LIMIT {_ENOUGH}) AS taken"


def count_ready(
    connection: Connection, run: Run, classes: tuple[Sequence[str], Sequence[str], Sequence[bool]]
) -> Ahead:
    """Count the ready runs of these classes that precede the run in its queue, or compete with it."""
    agents, windows, kinds = classes
    asked = {"queue": run.queue, "agents": list(agents), "windows": list(windows), "kinds": list(kinds)}
    row = Statement(READY_BEFORE, {**asked, "resumed": run.resumed, **_place(run)}).one(connection)
    assert row is not None
    return Ahead(**row)


def count_in_line(connection: Connection, line: str, run: Run) -> Count:
    """Count the runs that wait before a run in its line."""
    row = Statement(IN_LINE_BEFORE, {"line": line, **_place(run)}).one(connection)
    assert row is not None
    return Count.of(row["runs"])


def count_places(connection: Connection, line: str) -> int:
    """Count the held places of a line, up to the bound: a line with more places hardly ever has waiting runs."""
    row = Statement(PLACES, {"line": line}).one(connection)
    assert row is not None
    return int(row["held"])


def _place(run: Run) -> dict[str, object]:
    return {"priority": run.priority, "tag": run.fair_tag, "run": run.id}
