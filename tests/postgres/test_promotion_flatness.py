"""The heads of the ready index and the runs in flight are read by their indexes, whatever waits behind them."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.promotion.candidates import CANDIDATES
from scheduler.promotion.capacity import _CAPACITY
from tests.postgres.database_setup import consuming
from tests.postgres.factory import World


@pytest.fixture
def crowded(own_world: World) -> World:
    worker = consuming(own_world, slots=50)
    consuming(own_world, slots=50, agents=["echo", "b"])
    sql = """INSERT INTO run (id, tenant, agent, queue, status, ready_at, finished_at, priority, fair_tag, seq)
        SELECT gen_random_uuid(), 't', CASE WHEN n %% 3 = 0 THEN 'b' ELSE 'echo' END, 'default',
            CASE WHEN n %% 2 = 0 THEN 'QUEUED' ELSE 'SUCCESS' END, CASE WHEN n %% 2 = 0 THEN now() END,
            CASE WHEN n %% 2 = 1 THEN now() END, n %% 5, n, 1 FROM generate_series(1, 20000) AS n"""
    own_world.connection.execute(sql.replace("%%", "%"))
    for _ in range(20):
        own_world.run("executing", worker=worker)
    own_world.connection.execute("ANALYZE")
    return own_world


def _plan(world: World, sql: str, params: dict[str, Any]) -> tuple[str, int]:
    rows = world.connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {sql}", params).fetchall()
    lines = [row["QUERY PLAN"] for row in rows]
    [first] = [line for line in lines if "Buffers:" in line][:1]
    touched = sum(int(part.split("=")[1]) for part in first.split() if part.startswith(("hit=", "read=")))
    return "\n".join(lines), touched


def test_candidates_are_read_from_the_head_of_the_ready_index(crowded: World) -> None:
    plan, touched = _plan(
        crowded,
        CANDIDATES,
        {"queue": "default", "agents": ["echo", "b"], "windows": [""], "kinds": [False, True], "limit": 20},
    )
    assert "run_ready" in plan
    assert "Seq Scan on run" not in plan
    assert touched < 400


def test_what_is_in_flight_is_read_from_its_own_index(crowded: World) -> None:
    plan, touched = _plan(crowded, _CAPACITY, {})
    assert "run_in_flight" in plan
    assert "Seq Scan on run" not in plan
    assert touched < 200


def test_what_waits_behind_a_closed_window_costs_nothing(crowded: World) -> None:
    params = {"queue": "default", "agents": ["echo", "b"], "windows": ["", "day"], "kinds": [False, True], "limit": 20}
    before = _plan(crowded, CANDIDATES, params)[1]
    crowded.connection.execute("""
        INSERT INTO run (id, tenant, agent, queue, window_name, ready_at, priority, fair_tag, resumed, seq)
        SELECT gen_random_uuid(), 't', 'echo', 'default', 'night', now(), 100, n, n % 2 = 0, 1
        FROM generate_series(1, 20000) AS n""")
    crowded.connection.execute("ANALYZE")
    assert _plan(crowded, CANDIDATES, params)[1] <= 1.3 * before
