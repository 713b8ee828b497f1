"""With many runs, every search for work uses an index, as PostgreSQL's own plans show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.dialects import postgresql

from api.people.question import Page, listing
from models import control_requests
from models.fleet import workers
from models.ids import new_id
from models.promotion import tickets
from models.runs import recording
from models.runtime.database import set_up
from models.statement import Statement
from models.waiting import waits
from scheduler.duties import overdue_cancels, recovery
from scheduler.promotion import candidates, capacity
from tests.postgres.calls import MOVES, RECORDS, TICKETS
from tests.postgres.factory import Made, World
from tests.postgres.plans import nodes_of, own_database, plan_of, scans_of

RUNS = 20_000
REQUESTS = ("request_cancel", "request_pause", "take_pause_back")

# Mostly finished and parked runs, a backlog, a few blocked; few are in flight, as in production.
_FILL = """
    INSERT INTO run (id, tenant, agent, queue, status, pause_kind, finished_at, ready_at, fair_tag, resumed, blocked_on,
        blocked_until, epoch)
    SELECT gen_random_uuid(), 't' || n %% 10, 'agent' || n %% 7, 'queue' || n %% 3,
        CASE WHEN n %% 10 < 5 THEN 'SUCCESS' WHEN n %% 10 < 7 THEN 'PAUSED' ELSE 'QUEUED' END,
        CASE WHEN n %% 10 BETWEEN 5 AND 6 THEN 'approval' END, CASE WHEN n %% 10 < 5 THEN now() END,
        CASE WHEN n %% 10 >= 7 THEN now() END, n, n %% 4 = 0, CASE WHEN n %% 1000 = 7 THEN 'declined' END,
        CASE WHEN n %% 1000 = 7 THEN now() - interval '1 s' END, 1
    FROM generate_series(1, %(runs)s) AS n
    """
_EVENTS = "INSERT INTO event (run_id, seq, tenant, type, status) SELECT id, 1, tenant, 'status', status FROM run"
_PAYLOADS = "INSERT INTO payload (run_id, tenant, input) SELECT id, tenant, '{}' FROM run"
_WAITS = """
    INSERT INTO wait (id, run_id, tenant, key, kind, request, opened_at, resolved_at, outcome)
    SELECT gen_random_uuid(), id, tenant, 'approval#' || n, 'approval', '{"prompt": "?"}', now(),
        CASE WHEN n > 1 OR status <> 'PAUSED' THEN now() END, CASE WHEN n > 1 OR status <> 'PAUSED' THEN 'approved' END
    FROM run, generate_series(1, 3) AS n
    """


@pytest.fixture(scope="module")
def crowd(servers: Any, template_database: str) -> Iterator[tuple[World, Made]]:
    """Return a database with many runs, one of which executes on the named worker."""
    with own_database(servers, template_database) as world:
        for sql in (_FILL, _EVENTS, _PAYLOADS, _WAITS):
            world.connection.execute(sql, {"runs": RUNS})
        made = world.run("executing", queue="queue1")
        for _ in range(20):
            world.run("executing", queue="queue1")
            world.run("promoted", queue="queue1")
        world.connection.execute("VACUUM ANALYZE")
        yield world, made


@pytest.fixture(scope="module")
def newborn(servers: Any, template_database: str) -> Iterator[tuple[World, Made]]:
    """Return a database as on its first day: a run of each of a few tenants.

    A plan that is made now is kept, and still used after the tables have grown.
    """
    with own_database(servers, template_database) as world:
        set_up(world.connection)
        made, *_ = [world.run("executing", queue="queue1", tenant=f"t{n}") for n in range(5)]
        world.connection.execute("VACUUM ANALYZE")
        yield world, made


def test_the_plans_are_read_rightly(crowd: tuple[World, Made]) -> None:
    world, made = crowd

    assert scans_of(world, "SELECT FROM run WHERE priority = 7", {})["run"] == {"whole"}
    assert scans_of(world, "SELECT FROM run WHERE id = %(id)s", {"id": made.id})["run"] == {"run_pkey"}


def test_candidates_are_read_from_the_head_of_the_ready_index(crowd: tuple[World, Made]) -> None:
    world, _ = crowd
    params = {
        "queue": "queue1",
        "agents": [f"agent{n}" for n in range(7)],
        "windows": ["", "night"],
        "kinds": [False, True],
        "limit": 8,
    }

    assert scans_of(world, candidates.CANDIDATES, params)["run"] == {"run_ready"}


def test_the_head_of_the_ready_index_needs_no_sort(crowd: tuple[World, Made]) -> None:
    """The index is in the order of promotion, so a class costs as many rows as are taken from it, whatever waits behind."""
    world, _ = crowd
    params = {
        "queue": "queue1",
        "agents": ["agent1", "agent2"],
        "windows": ["", "night"],
        "kinds": [False, True],
        "limit": 8,
    }
    row = world.connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {candidates.CANDIDATES}", params).fetchone()
    assert row is not None
    nodes = list(nodes_of(row["QUERY PLAN"][0]["Plan"]))

    assert not [node for node in nodes if "Sort" in node["Node Type"]]
    scans = [node for node in nodes if node.get("Index Name") == "run_ready"]
    assert [(node["Actual Rows"] <= 8, node["Actual Loops"]) for node in scans] == [(True, 8)]


STATEMENTS: dict[str, tuple[str, set[str]]] = {
    "capacity": (capacity._CAPACITY, {"run_in_flight"}),
    "orphans": (recovery._ORPHANS, {"run_in_flight"}),
    "overdue cancels": (overdue_cancels._OVERDUE, {"run_in_flight"}),
}


TAKEN: dict[str, Statement] = {
    "candidates": Statement(
        candidates.CANDIDATES,
        {"queue": "queue1", "agents": ["agent1"], "windows": [""], "kinds": [False, True], "limit": 8},
    ),
    "ask for windows": control_requests.ask_for_windows(windows=["night"], queues={"queue1": "night"}, agents={}),
    "take windows back": control_requests.take_windows_back(windows=["night"]),
    "withdraw": tickets.withdraw(windows=["night"], queues=["queue1"], agents=[]),
    "promote": tickets.promote([new_id()]),
    "republish": tickets.republish("queue1"),
    "lift": tickets.lift(),
    **{name: Statement(sql, {}) for name, (sql, _) in STATEMENTS.items()},
}


@pytest.mark.parametrize("name", TAKEN)
def test_no_plan_made_on_the_first_day_reads_the_whole_table_for_ever(newborn: tuple[World, Made], name: str) -> None:
    statement = TAKEN[name]
    scans = scans_of(newborn[0], statement.sql, statement.params, generic=bool(statement.params))

    assert "run" in scans
    assert "whole" not in scans["run"]
    assert "run_tenant" not in scans["run"]


@pytest.mark.parametrize("name", [*MOVES, *RECORDS, "decline", *REQUESTS])
def test_no_write_prepared_on_the_first_day_reads_the_whole_table(newborn: tuple[World, Made], name: str) -> None:
    world, made = newborn
    statement = {**MOVES, **RECORDS, **TICKETS}[name](made)
    scans = scans_of(world, statement.sql, statement.params, generic=True)

    assert scans["run"] <= ({"run_pkey", "run_tenant"} if "tenant" in statement.params else {"run_pkey"})


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_in_flight_is_found_by_its_index(crowd: tuple[World, Made], name: str) -> None:
    sql, indexes = STATEMENTS[name]

    assert scans_of(crowd[0], sql, {})["run"] == indexes


@pytest.mark.parametrize("generic", [False, True])
def test_a_renewal_reads_only_its_own_runs(crowd: tuple[World, Made], generic: bool) -> None:
    world, made = crowd
    statement = workers.renew(made.worker, lease_s=15, consuming_ago_s=1.0, draining=False)

    assert scans_of(world, statement.sql, statement.params, generic=generic)["run"] == {"run_in_flight"}


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (tickets.republish("queue1"), "run_in_flight"),
        (tickets.lift(), "run_blocked"),
        (tickets.withdraw(windows=["night"], queues=["queue1"], agents=["agent1"]), "run_in_flight"),
        (control_requests.ask_for_windows(windows=["night"], queues={"queue1": "night"}, agents={}), "run_in_flight"),
        (control_requests.take_windows_back(windows=["night"]), "run_in_flight"),
        (tickets.promote([new_id() for _ in range(64)]), "run_pkey"),
    ],
    ids=["republish", "lift", "withdraw", "ask_for_windows", "take_windows_back", "promote"],
)
def test_tickets_are_found_by_an_index(crowd: tuple[World, Made], statement: Statement, index: str) -> None:
    scans = scans_of(crowd[0], statement.sql, statement.params)["run"]

    assert index in scans
    assert "whole" not in scans


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", [*MOVES, *RECORDS, "decline", *REQUESTS])
def test_every_write_finds_its_run_by_its_key(crowd: tuple[World, Made], name: str, generic: bool) -> None:
    """And not among all runs in flight on its worker: entries of past runs stay there while a snapshot is open."""
    world, made = crowd
    statement = {**MOVES, **RECORDS, **TICKETS}[name](made)
    scans = scans_of(world, statement.sql, statement.params, generic=generic)

    # The tenant's list ends with the run's id: as good as its key if a statement names both.
    assert scans["run"] <= ({"run_pkey", "run_tenant"} if "tenant" in statement.params else {"run_pkey"})
    assert not [table for table, how in scans.items() if "whole" in how and table in {"payload", "event"}]


def test_a_tenants_newest_runs_are_listed_by_an_index(crowd: tuple[World, Made]) -> None:
    sql = "SELECT id FROM run WHERE tenant = 't1' ORDER BY id DESC LIMIT 50"

    assert scans_of(crowd[0], sql, {})["run"] == {"run_tenant"}


@pytest.mark.parametrize(("decided", "index"), [(False, "wait_inbox"), (True, "wait_decided")])
@pytest.mark.parametrize("below", [None, UUID(int=2**127)])
def test_the_inbox_is_read_from_its_newest_end_by_an_index(
    crowd: tuple[World, Made], decided: bool, index: str, below: UUID | None
) -> None:
    page = listing(Page("t5", decided=decided, limit=51, below=below))
    sql = str(page.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})).replace("%", "%%")
    scans = scans_of(crowd[0], sql, {})

    assert scans["wait"] == {index}
    assert (scans["run"], scans["payload"]) == ({"run_pkey"}, {"payload_pkey"})
    assert not [node for node in nodes_of(plan_of(crowd[0], sql, {}, generic=False)) if node["Node Type"] == "Sort"]


@pytest.mark.parametrize("sql", [waits.SETTLED, waits.OVER, "SELECT FROM wait WHERE run_id = %(run)s"])
def test_the_waits_of_a_run_are_found_by_an_index_also_those_that_are_over(
    crowd: tuple[World, Made], newborn: tuple[World, Made], sql: str
) -> None:
    for (world, made), generic in ((crowd, False), (crowd, True), (newborn, True)):
        params = {"run": made.id} | ({"keys": ["approval#1"]} if "keys" in sql else {})
        scans = scans_of(world, sql, params, generic=generic)
        assert "wait_run" in set[str]().union(*scans.values())
        assert "whole" not in scans.get("wait", set())


def test_what_settles_a_doubt_is_read_by_the_runs_key(crowd: tuple[World, Made]) -> None:
    assert scans_of(crowd[0], recording.FENCED, {"run": crowd[1].id})["run"] == {"run_pkey"}
