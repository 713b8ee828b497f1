"""A schedule fires exactly once for each of its times, however many leaders read it at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from models.calendar.recurrence import recurrence
from models.ids import new_id
from models.operations import schedules
from models.runs.enqueue import NewRun
from scheduler.duties.schedules import Schedules
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import AGENT, TENANT, World
from tests.postgres.stepping import do

NAME = "nightly"
LEAP = "0 0 29 2 *"  # so rare that nothing fires by itself while a test runs
RARELY = recurrence(LEAP, "UTC")


def put(
    world: World, name: str = NAME, *, ago: float = 1.0, next_at: datetime | None = None, **fields: Any
) -> datetime:
    """Store a schedule that should have fired `ago` seconds ago; return that time."""
    due = next_at or datetime.now(UTC) - timedelta(seconds=ago)
    run = NewRun(agent=AGENT, queue="", input='{"n": 1}', metadata={"team": "7"}, tags=("t",), priority=3)
    request = schedules.request(run, {"agent": AGENT, "input": {"n": 1}}, queue=None, timeout_ms=None)
    given: dict[str, Any] = {
        "cron": LEAP, "timezone": "UTC", "agent": AGENT, "request": request, "overlap": "skip", "catch_up": "none",
        "paused": False, "next_at": due, "by": new_id(), **fields,
    }  # fmt: skip
    assert schedules.put(TENANT, name, **given).one(world.connection)
    return due


def run_state(world: World, name: str = NAME) -> dict[str, Any]:
    row = world.connection.execute("SELECT * FROM schedule WHERE name = %s", [name]).fetchone()
    assert row is not None
    return row


def firings(world: World) -> list[tuple[datetime, str]]:
    rows = world.connection.execute("SELECT * FROM firing ORDER BY at").fetchall()
    return [(row["at"], row["outcome"]) for row in rows]


def runs(world: World) -> list[dict[str, Any]]:
    return world.connection.execute("SELECT * FROM run ORDER BY id").fetchall()


@pytest.fixture
def agent(own_world: World) -> World:
    values = {"name": AGENT, "queue": "slow", "version": "1", "input_schema": "{}", "timeout_ms": 5000}
    own_world.insert("agent", values)
    return own_world


@pytest.fixture
def duty() -> Schedules:
    return Schedules()


def test_a_firing_makes_its_run_and_moves_on(agent: World, duty: Schedules) -> None:
    due = put(agent)
    do(duty, agent.connection)
    [run] = runs(agent)
    row = run_state(agent)
    assert firings(agent) == [(due, "fired")]
    assert (row["last_at"], row["next_at"], row["open_runs"]) == (due, RARELY.after(due), [run["id"]])
    assert (run["status"], run["queue"], run["timeout_ms"], run["priority"]) == ("QUEUED", "slow", 5000, 3)
    assert run["created_by"] == row["created_by"]
    assert agent.payload(run["id"])["input"] == {"n": 1}
    labels = agent.connection.execute("SELECT kind, name, value FROM label").fetchall()
    assert {(label["kind"], label["name"], label["value"]) for label in labels} == {
        ("tag", "t", ""), ("metadata", "team", "7"), ("metadata", "schedule", NAME),
        ("metadata", "scheduledFor", due.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    }  # fmt: skip
    do(duty, agent.connection)
    assert len(runs(agent)) == 1


@pytest.fixture
def rivals(database_url: str) -> Iterator[tuple[Connection, Connection]]:
    with (
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as first,
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as second,
    ):
        yield first, second


def test_two_that_fire_at_once_make_one_run(agent: World, rivals: tuple[Connection, Connection]) -> None:
    due = put(agent)
    first, second = rivals
    first.execute("BEGIN")
    assert schedules.fire(first, TENANT, NAME, due)
    other = Waiting(second, lambda mine: [{"fired": schedules.fire(mine, TENANT, NAME, due)}])
    until_blocked(agent.connection, other.pid, first.info.backend_pid)
    first.execute("COMMIT")
    assert other.rows() == [{"fired": None}]
    assert firings(agent) == [(due, "fired")]
    assert len(runs(agent)) == 1


def test_a_firing_that_was_not_committed_is_made_by_who_comes_next(
    agent: World, rivals: tuple[Connection, Connection]
) -> None:
    due = put(agent)
    dying = rivals[0]
    dying.execute("BEGIN")
    assert schedules.fire(dying, TENANT, NAME, due)
    dying.execute("ROLLBACK")
    assert (firings(agent), runs(agent)) == ([], [])
    assert schedules.fire(agent.connection, TENANT, NAME, due)
    assert (firings(agent), len(runs(agent))) == ([(due, "fired")], 1)


def test_a_time_that_is_noted_already_is_never_fired_again(agent: World) -> None:
    due = put(agent)
    assert schedules.fire(agent.connection, TENANT, NAME, due)
    agent.connection.execute(
        "UPDATE schedule SET next_at = %s, open_runs = '{}'", [due]
    )  # a restored backup, for example
    fired = schedules.fire(agent.connection, TENANT, NAME, due)
    assert fired is not None
    assert fired.event is None
    assert len(runs(agent)) == 1
    assert run_state(agent)["next_at"] == RARELY.after(due)


@pytest.mark.parametrize("why", ["paused = TRUE", "next_at = next_at + interval '1 h'", "next_at = NULL"])
def test_a_schedule_that_was_changed_meanwhile_does_not_fire(agent: World, why: str) -> None:
    due = put(agent)
    agent.connection.execute(f"UPDATE schedule SET {why}")
    assert schedules.fire(agent.connection, TENANT, NAME, due) is None
    assert runs(agent) == []


@pytest.mark.parametrize(("catch_up", "made"), [("none", 0), ("last", 1)])
def test_what_was_missed_is_made_good_for_as_the_schedule_says(
    agent: World, duty: Schedules, catch_up: str, made: int
) -> None:
    put(agent, cron="0 0 1 1 *", next_at=datetime(2020, 1, 1, tzinfo=UTC), catch_up=catch_up)
    do(duty, agent.connection)
    assert len(runs(agent)) == made
    now = datetime.now(UTC)
    assert [at for at, _ in firings(agent)] == [datetime(now.year, 1, 1, tzinfo=UTC)] * made
    assert run_state(agent)["next_at"] == datetime(now.year + 1, 1, 1, tzinfo=UTC)


def finish(world: World, run: UUID) -> None:
    world.connection.execute(
        "UPDATE run SET status = 'CANCELED', finished_at = now(), ready_at = NULL, blocked_on = NULL WHERE id = %s",
        [run],
    )


def test_a_firing_is_skipped_while_an_earlier_run_goes_on(agent: World, duty: Schedules) -> None:
    first = put(agent, ago=20)
    do(duty, agent.connection)
    agent.connection.execute("UPDATE schedule SET next_at = %s", [first + timedelta(seconds=4)])
    do(duty, agent.connection)
    assert [outcome for _, outcome in firings(agent)] == ["fired", "skipped"]
    [run] = runs(agent)
    finish(agent, run["id"])
    agent.connection.execute("UPDATE schedule SET next_at = %s", [first + timedelta(seconds=8)])
    do(duty, agent.connection)
    assert [outcome for _, outcome in firings(agent)] == ["fired", "skipped", "fired"]
    assert run_state(agent)["open_runs"] == [runs(agent)[1]["id"]]


def test_with_overlap_queue_each_run_waits_for_the_one_before_it(agent: World, duty: Schedules) -> None:
    first = put(agent, ago=20, overlap="queue")
    for seconds in (0, 2, 4):
        agent.connection.execute("UPDATE schedule SET next_at = %s", [first + timedelta(seconds=seconds)])
        do(duty, agent.connection)
    made = runs(agent)
    assert [run["blocked_on"] for run in made] == [None, "overlap", "overlap"]
    for ended, gates in ((0, [None, None, "overlap"]), (1, [None, None, None])):
        finish(agent, made[ended]["id"])
        do(duty, agent.connection)
        assert [run["blocked_on"] for run in runs(agent)] == gates


def test_runs_that_wait_for_one_another_go_when_their_schedule_is_deleted(agent: World, duty: Schedules) -> None:
    first = put(agent, ago=20, overlap="queue")
    do(duty, agent.connection)
    agent.connection.execute("UPDATE schedule SET next_at = %s", [first + timedelta(seconds=2)])
    do(duty, agent.connection)
    assert schedules.delete(TENANT, NAME).one(agent.connection)
    do(duty, agent.connection)
    assert [run["blocked_on"] for run in runs(agent)] == [None, None]


def test_a_run_by_hand_comes_at_once_and_counts_as_going_on(agent: World, duty: Schedules) -> None:
    due = put(agent, ago=5)
    for _ in range(2):
        with agent.connection.transaction():
            assert schedules.run_now(agent.connection, TENANT, NAME)
    assert schedules.run_now(agent.connection, "another", NAME) is None
    assert [run["blocked_on"] for run in runs(agent)] == [None, None]
    assert run_state(agent)["next_at"] == due
    do(duty, agent.connection)
    assert sorted(outcome for _, outcome in firings(agent)) == ["by_hand", "by_hand", "skipped"]


def test_a_schedule_whose_zone_is_unknown_here_stops_and_keeps_nobody_waiting(agent: World, duty: Schedules) -> None:
    put(agent, "lost", ago=30, timezone="Europe/Atlantis")
    put(agent, "sound", ago=10)
    do(duty, agent.connection)
    assert run_state(agent, "lost")["next_at"] is None
    assert [run["agent"] for run in runs(agent)] == [AGENT]


def test_a_schedule_that_cannot_be_fired_keeps_nobody_waiting(agent: World, duty: Schedules) -> None:
    put(agent, "broken", ago=30)
    put(agent, "sound", ago=10)
    broken = json.dumps({"given": {}, "run": {**run_state(agent, "broken")["request"]["run"], "priority": 1000}})
    agent.connection.execute("UPDATE schedule SET request = %s WHERE name = 'broken'", [broken])
    assert do(duty, agent.connection).wait_s == 1.0
    assert len(runs(agent)) == 1
    assert run_state(agent, "broken")["next_at"] is not None, "it is tried again"


def test_the_duty_comes_back_when_the_next_one_fires(agent: World, duty: Schedules) -> None:
    put(agent, ago=-0.2)
    assert 0 < do(duty, agent.connection).wait_s <= 0.2
    assert runs(agent) == []
