"""However many runs wait in a line, assigning its places reads a few of them, by an index, as PostgreSQL's own plans show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from models.ids import new_id
from models.promotion import conflicts, place_limits, places, tickets
from models.promotion.places import ClosedGates
from models.runs import expiration
from models.runtime.database import set_up
from models.statement import Statement
from scheduler.promotion import headroom
from tests.postgres.factory import World
from tests.postgres.plans import nodes_of, own_database, plan_of, read_whole, scans_of

LINE = "key:q\nt1\nk"
SHUT = ClosedGates(frozenset({"night"}), frozenset({"asleep"}))
# Most wait in one line, many in lines of a few, some for their time; others are ready, parked or ended.
_FILL = f"""
    INSERT INTO run (id, tenant, agent, queue, status, pause_kind, finished_at, ready_at, priority, fair_tag, lined, blocked_on,
        blocked_until, concurrency_key, epoch)
    SELECT gen_random_uuid(), 't1', 'a', 'q', CASE kind WHEN 0 THEN 'SUCCESS' WHEN 1 THEN 'PAUSED' ELSE 'QUEUED' END,
        CASE kind WHEN 1 THEN 'agent' END, CASE kind WHEN 0 THEN now() END, CASE WHEN kind > 1 THEN now() END, n % 3, n, TRUE,
        CASE WHEN kind > 5 THEN '{LINE}' WHEN kind = 5 THEN {{line}} || n / 100 WHEN kind = 4 THEN 'not_before' END,
        CASE kind WHEN 4 THEN now() + interval '1 h' END, 'k', 1
    FROM generate_series(1, 40000) AS n, LATERAL (SELECT n % 10 AS kind) AS drawn
    """.format(line="'key:q' || chr(10) || 't1' || chr(10)")
_PLACES = """
    INSERT INTO place (line, run_id, tenant) SELECT 'key:q' || chr(10) || 't1' || chr(10) || n, gen_random_uuid(), 't1'
    FROM generate_series(1, 5000) AS n
    """
_EXPIRIES = """
    INSERT INTO expiry (run_id, tenant, at) SELECT gen_random_uuid(), 't1', now() + n * interval '1 s'
    FROM generate_series(1, 5000) AS n
    """
_CHANGES = "INSERT INTO place_change (run_id) SELECT gen_random_uuid() FROM generate_series(1, 5000)"


@pytest.fixture(scope="module")
def lines(servers: Any, template_database: str) -> Iterator[World]:
    """Return a database with long lines."""
    yield from _database(servers, template_database, fill=True)


@pytest.fixture(scope="module")
def newborn(servers: Any, template_database: str) -> Iterator[World]:
    """Return a database on its first day: a plan that is made now is kept when the tables have grown."""
    yield from _database(servers, template_database, fill=False)


def _database(servers: Any, template: str, *, fill: bool) -> Iterator[World]:
    with own_database(servers, template) as world:
        for sql in (_FILL, _PLACES, _EXPIRIES, _CHANGES) if fill else ():
            world.connection.execute(sql)
        for n in range(5):
            world.run("executing", queue="q", tenant=f"t{n}")
        world.connection.execute("VACUUM ANALYZE")
        set_up(world.connection)
        yield world


_RUNS = [new_id() for _ in range(20)]
STATEMENTS: dict[str, Statement] = {
    "lock": places.lock(_RUNS),
    "done": places.done([1, 2], _RUNS),
    "free": places.free(_RUNS),
    "send": places.send(_RUNS),
    "admit": places.admit({LINE: 5, "key:q\nt1\n7": 1}, SHUT),
    "give way": places.give_way({LINE: 5, "key:q\nt1\n7": 1}, SHUT),
    "next line": places.next_line("key:q"),
    "line up": places.line_up(_RUNS),
    "strays": places.strays(_RUNS),
    "count in": place_limits.count_in("q"),
    "take back": place_limits.take_back(_RUNS),
    "count later": place_limits.count_later("q"),
    "impatient": conflicts.impatient(_RUNS),
    "rivals": conflicts.rivals(_RUNS[0], LINE),
    "any rival": conflicts.any_rival(_RUNS[0], LINE),
    "lift": tickets.lift(),
    "next lift": tickets.next_lift(),
    "in flight": Statement(headroom._IN_FLIGHT, {}),
}


GOOD = {"run_pkey", "run_blocked", "run_in_flight"}


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", STATEMENTS)
def test_no_run_is_looked_for_among_all(lines: World, newborn: World, name: str, generic: bool) -> None:
    statement = STATEMENTS[name]
    for world in (lines, newborn):
        kept = generic and bool(statement.params)
        scans = scans_of(world, statement.sql, statement.params, generic=kept)
        assert {index for index in scans["run"] if index.startswith("run")} <= GOOD, (name, scans)
        assert "whole" not in scans["run"] | scans.get("place", set()) | scans.get("expiry", set()), (name, scans)
        assert read_whole(plan_of(world, statement.sql, statement.params, generic=kept)) == []


@pytest.mark.parametrize("name", ["admit", "give way", "next line", "next lift", "rivals"])
def test_the_head_of_a_line_is_found_without_reading_the_line(lines: World, name: str) -> None:
    statement = STATEMENTS[name]
    row = lines.connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", statement.params).fetchone()
    assert row is not None
    read = [node["Actual Rows"] * node["Actual Loops"] for node in nodes_of(row["QUERY PLAN"][0]["Plan"])]

    assert max(read) <= 2 * places.LOOKED_AT


def test_what_is_due_is_found_by_its_time(lines: World, newborn: World) -> None:
    for world in (lines, newborn):
        for statement in (expiration.due(), expiration.next_due()):
            nodes = [node.get("Index Name") for node in nodes_of(plan_of(world, statement.sql, {}, generic=False))]
            assert "expiry_next" in nodes
