"""A bulk operation reaches each run once, across leaders, locks and concurrent operations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from models.operations import bulk as bulks
from models.operations import commands
from models.operations.bulk import Action, StoredBulk
from models.runs.run_filter import RunFilter
from scheduler.duties import bulk, bulk_operation
from scheduler.duties.bulk_operation import BulkOperation
from scheduler.duties.housekeeping import Housekeeping
from tests.postgres.bulking import KEY, NONE, ask, came_to, leader, many, retries, run_state, turns
from tests.postgres.duel import Connection
from tests.postgres.factory import TENANT, World
from tests.postgres.stepping import do

Connect = Callable[[], Connection]
pytestmark = pytest.mark.usefixtures("no_operations_of_others")


def _until_done(connection: Connection, asked: UUID, count: int) -> None:
    """Take the shortest turns until exactly so many runs were handled."""
    while connection.execute("SELECT done FROM bulk WHERE id = %s", [asked]).fetchone() != {"done": count}:
        do(leader(), connection)


def test_more_runs_than_a_page_are_all_come_to_and_each_has_one_end(world: World, agent: str) -> None:
    count = 2 * bulk_operation.PAGE + 7
    many(world, agent, count)
    asked = ask(world, "cancel", agent)
    duty, turns, longest = leader(), 0, 0.0
    while not run_state(world, asked)["finished_at"]:
        duty._next, began = 0.0, time.monotonic()
        do(duty, world.connection)
        turns, longest = turns + 1, max(longest, time.monotonic() - began)
    assert came_to(world, asked) == (count, 0, 0, True)
    ends = world.connection.execute(
        "SELECT count(*) AS n FROM event JOIN run ON run.id = run_id WHERE agent = %s AND type = 'end'", [agent]
    ).fetchone()
    assert ends == {"n": count}
    assert turns > 5, f"it gave way to promotion; the longest of {turns} turns took {longest:.3f} s"


# ------------------------------------------------------------------------------------------------------- leaders and others
def test_a_leader_that_dies_in_the_middle_leaves_the_rest_to_the_next(
    world: World, connect: Connect, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [world.run("failed", agent=agent) for _ in range(4)]
    asked = ask(world, "retry", agent)
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    _until_done(world.connection, asked, 1)
    dying = connect()
    dying.execute("BEGIN")
    _until_done(dying, asked, 2)
    dying.close()
    assert run_state(world, asked)["done"] == 1
    turns(world.connection)
    assert came_to(world, asked) == (4, 0, 0, True)
    assert retries(world, agent) == sorted(one.id for one in made)


def test_of_two_leaders_at_once_the_later_does_nothing_that_was_done(
    world: World, connect: Connect, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [world.run("failed", agent=agent) for _ in range(3)]
    asked = ask(world, "retry", agent)
    frozen = connect()
    # It was about to act on the first.
    late = StoredBulk(**{**run_state(world, asked), "reached": UUID(int=made[0].id.int - 1)})
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    _until_done(world.connection, asked, 2)
    results = list(BulkOperation(late, 1).resume(frozen, late, time.monotonic() + 10))
    assert (came_to(world, asked), results) == ((2, 0, 0, False), [])
    turns(world.connection)
    assert came_to(world, asked) == (3, 0, 0, True)
    assert retries(world, agent) == sorted(one.id for one in made)


def test_a_run_that_somebody_decides_about_is_come_back_to_and_nobody_waits_for_it(
    world: World, connect: Connect, agent: str
) -> None:
    busy, idle, holder = world.run("queued", agent=agent), world.run("queued", agent=agent), connect()
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [busy.id])
    asked = ask(world, "cancel", agent)
    began = time.monotonic()
    turns(world.connection)
    assert time.monotonic() - began < 5
    assert (world.row(busy.id)["status"], world.row(idle.id)["status"]) == ("QUEUED", "CANCELED")
    row = run_state(world, asked)
    assert (row["done"], row["behind"], row["finished_at"]) == (1, [busy.id], None)
    turns(world.connection)
    assert run_state(world, asked)["version"] == row["version"], "what waits for others writes nothing"
    holder.execute("COMMIT")
    turns(world.connection)
    assert (world.row(busy.id)["status"], came_to(world, asked)) == ("CANCELED", (2, 0, 0, True))


def test_when_many_are_held_by_others_these_come_first(world: World, connect: Connect, agent: str) -> None:
    held, holder = many(world, agent, bulk_operation.MOST_BEHIND), connect()
    [free] = many(world, agent, 1)
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [held])
    asked = ask(world, "cancel", agent)
    turns(world.connection)
    assert (world.row(free)["status"], len(run_state(world, asked)["behind"])) == ("QUEUED", bulk_operation.MOST_BEHIND)
    holder.execute("COMMIT")
    turns(world.connection)
    assert came_to(world, asked) == (bulk_operation.MOST_BEHIND + 1, 0, 0, True)


def test_one_run_that_cannot_be_done_holds_up_no_other(
    world: World, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(bulk_operation, "fact", lambda name, **_: said.append(name))
    broken, sound = world.run("failed", agent=agent), world.run("failed", agent=agent)
    world.connection.execute("UPDATE payload SET input = '{}', result = NULL WHERE run_id = %s", [broken.id])
    retry = commands.retry

    def fails(connection: Any, run: UUID, *args: Any, **more: Any) -> Any:
        done = retry(connection, run, *args, **more)
        if run == broken.id:
            connection.execute("INSERT INTO payload (run_id, tenant, input) VALUES (%s, 'x', '{}')", [run])
        return done

    monkeypatch.setattr(commands, "retry", fails)
    asked = ask(world, "retry", agent)
    turns(world.connection)
    assert came_to(world, asked) == (1, 0, 1, True)
    assert (retries(world, agent), said) == ([sound.id], ["bulk.run_failed", "bulk.finished"])


def test_a_lost_session_ends_the_duty_and_counts_nothing(world: World, connect: Connect, agent: str) -> None:
    world.run("queued", agent=agent)
    asked, lost = ask(world, "cancel", agent), connect()
    world.connection.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
    with pytest.raises(psycopg.Error):
        do(leader(), lost)
    assert came_to(world, asked) == (0, 0, 0, False)


def test_operations_take_turns(world: World, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        many(world, f"{agent}-{n}", 3)
    asked = [ask(world, "cancel", f"{agent}-{n}") for n in range(3)]
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(bulk, "_UNDER_WAY", bulk._UNDER_WAY.replace(f"LIMIT {bulk.AT_ONCE}", "LIMIT 2"))
    came: list[list[int]] = []
    duty = leader()
    while not all(run_state(world, one)["finished_at"] for one in asked):
        duty._next = 0.0
        do(duty, world.connection)
        came.append([run_state(world, one)["done"] for one in asked])
    assert came[-1] == [3, 3, 3]
    assert all(max(done) - min(done) <= 1 for done in came), "none goes ahead of the others"


def test_no_more_than_a_few_of_a_tenant_are_under_way(world: World, agent: str) -> None:
    wanted = RunFilter(TENANT, agent=agent)
    asked = bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, counted=NONE)
    rows = [
        bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, counted=NONE).one(world.connection)
        for _ in range(12)
    ]
    assert sum(row is not None for row in rows) == bulks.MOST_OPEN
    turns(world.connection)
    assert asked.one(world.connection)


def test_an_operation_without_any_run_is_over_at_once(world: World, agent: str) -> None:
    wanted = RunFilter(f"tenant-{agent}", agent=agent)
    row = bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, counted=NONE).one(world.connection)
    assert row
    do(leader(), world.connection)
    assert came_to(world, row.id) == (0, 0, 0, True)


def test_the_record_of_what_is_over_is_forgotten_after_30_days(world: World, agent: str) -> None:
    old, young, open_one = (ask(world, "cancel", agent) for _ in range(3))
    for asked, days in ((old, 31), (young, 29)):
        ended = "UPDATE bulk SET finished_at = now() - %s * interval '1 day' WHERE id = %s"
        world.connection.execute(ended, [days, asked])
    do(Housekeeping(), world.connection)
    left = world.connection.execute("SELECT id FROM bulk ORDER BY id").fetchall()
    assert [row["id"] for row in left] == [young, open_one]
