"""However many runs there are, explaining one reads a few of them, each by an index, as PostgreSQL's own plans show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api.explain import counting, reading, reading_ready
from api.explain.counting import count_in_line, count_ready
from api.explain.snapshot import MOST_COUNTED
from models.ids import new_id
from models.runtime.database import set_up
from models.tables.run import Run
from tests.postgres.factory import Made, World
from tests.postgres.plans import nodes_of, own_database, scans_of

RUNS = 60_000
AGENTS = [f"agent{n}" for n in range(3)]
LINE = "key:queue0\nt1\nk"

# Most wait in one queue, in a few classes, and very many in one line; some are finished or parked.
_FILL = f"""
    INSERT INTO run (id, tenant, agent, queue, status, pause_kind, finished_at, ready_at, priority, fair_tag, resumed,
        blocked_on, epoch)
    SELECT gen_random_uuid(), 't' || n %% 10, 'agent' || n %% 3, 'queue' || n %% 20 / 16,
        CASE WHEN n %% 10 < 1 THEN 'SUCCESS' WHEN n %% 10 < 2 THEN 'PAUSED' ELSE 'QUEUED' END,
        CASE WHEN n %% 10 = 1 THEN 'approval' END, CASE WHEN n %% 10 < 1 THEN now() END,
        CASE WHEN n %% 10 >= 2 THEN now() END, n %% 5, n, n %% 4 = 0,
        CASE WHEN n %% 10 >= 2 AND n %% 20 < 8 THEN '{LINE}' END, 1
    FROM generate_series(1, %(runs)s) AS n
    """


@pytest.fixture(scope="module")
def crowd(servers: Any, template_database: str) -> Iterator[tuple[World, Made]]:
    """Return a database with many runs, few of them in flight, and the session set up as for the API's snapshots."""
    with own_database(servers, template_database) as world:
        world.connection.execute(_FILL, {"runs": RUNS})
        world.connection.execute(
            "INSERT INTO event (run_id, seq, tenant, type, status) SELECT id, 1, tenant, 'x', status FROM run"
        )
        made = [world.run("executing", queue="queue0", tenant="t1") for _ in range(30)]
        for one in made[:20]:
            world.insert("place", {"line": LINE, "run_id": one.id, "tenant": "t1"})
        world.connection.execute("VACUUM ANALYZE")
        set_up(world.connection)
        yield world, made[0]


def _last(world: World, condition: str) -> Run:
    """Return the last run in order of those that meet a condition."""
    sql = f"SELECT * FROM run WHERE {condition} ORDER BY priority, fair_tag DESC, id DESC LIMIT 1"
    row = world.connection.execute(sql.encode()).fetchone()
    assert row is not None
    return Run(**row)


def _params(made: Made) -> dict[str, dict[str, Any]]:
    place = {"priority": 0, "tag": 1e9, "run": made.id}
    ready = {"queue": "queue0", "agents": AGENTS, "windows": ["", "night"], "kinds": [True, False], "resumed": False}
    return {
        "run": {"run": made.id, "tenant": "t1"}, "waits": {"run": made.id, "epoch": 7}, "pause": {"run": made.id},
        "named": {"runs": [made.id, new_id()], "tenant": "t1"}, "workers": {"queue": "queue0"}, "in flight": {},
        "holders": {"line": LINE}, "places": {"line": LINE}, "line": {"line": LINE, **place}, "ready": {**ready, **place},
    }  # fmt: skip


STATEMENTS: Mapping[str, tuple[str, str, set[str]]] = {
    "run": (reading._RUN, "run", {"run_pkey", "run_tenant"}),
    "waits": (reading._WAITS, "wait", {"wait_run", "wait_one_open_per_key"}),
    "pause": (reading._PAUSED, "event", {"event_pkey"}),
    "named": (reading._NAMED, "run", {"run_pkey", "run_tenant"}),
    "workers": (reading_ready._WORKERS, "run", {"run_in_flight"}),
    "in flight": (reading_ready._IN_FLIGHT, "run", {"run_in_flight"}),
    "holders": (reading_ready._HOLDERS, "place", {"place_pkey"}),
    "places": (counting.PLACES, "place", {"place_pkey"}),
    "line": (counting.IN_LINE_BEFORE, "run", {"run_blocked"}),
    "ready": (counting.READY_BEFORE, "run", {"run_ready"}),
}


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_an_index(crowd: tuple[World, Made], name: str, generic: bool) -> None:
    world, made = crowd
    sql, table, indexes = STATEMENTS[name]
    params = _params(made)[name]
    scans = scans_of(world, sql, params, generic=generic and bool(params))

    assert scans[table] <= indexes
    assert "whole" not in scans.get("run", set())


@pytest.mark.parametrize("name", ["line", "ready"])
def test_who_goes_before_is_counted_in_the_order_of_the_index_and_never_beyond_the_bound(
    crowd: tuple[World, Made], name: str
) -> None:
    world, made = crowd
    row = world.connection.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {STATEMENTS[name][0]}", _params(made)[name]
    ).fetchone()
    assert row is not None
    nodes = list(nodes_of(row["QUERY PLAN"][0]["Plan"]))

    assert not [node for node in nodes if "Sort" in node["Node Type"]]
    scans = [node for node in nodes if node.get("Index Name") in ("run_ready", "run_blocked")]
    assert scans
    # One scan of each part of a count; together they read no more than the bound allows.
    parts = 3 if name == "ready" else 2
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= parts * (MOST_COUNTED + 1)


def test_a_count_is_right_below_the_bound_and_says_that_it_is_more_above_it(crowd: tuple[World, Made]) -> None:
    world, _ = crowd
    classes = (AGENTS, [""], [True, False])
    last = _last(world, "queue = 'queue0' AND status = 'QUEUED' AND blocked_on IS NULL AND NOT resumed")
    before = count_ready(world.connection, last, classes)
    assert (before.higher, before.same < MOST_COUNTED) == (MOST_COUNTED + 1, True)
    row = world.connection.execute(
        "SELECT count(*) AS n FROM run WHERE queue = 'queue0' AND ready_at IS NOT NULL AND blocked_on IS NULL AND NOT resumed"
        " AND priority = %s AND (fair_tag, id) < (%s, %s)",
        [last.priority, last.fair_tag, last.id],
    ).fetchone()
    assert row is not None
    assert before.same == row["n"] > 0

    first = Run(**{**last.model_dump(), "priority": 100})
    assert count_ready(world.connection, first, classes).higher == 0
    assert count_in_line(world.connection, LINE, _last(world, f"blocked_on = '{LINE}'")).more
    assert not count_in_line(world.connection, LINE, first).number
