"""Limits of queues and agents, rates, cordons: what ops allow is never exceeded, and what they forbid holds back nothing else."""

from __future__ import annotations

import json
from collections import Counter

from scheduler.promotion.headroom import Rate
from tests.postgres.database_setup import DatabaseSetup
from tests.postgres.factory import AGENT
from tests.postgres.stepping import do

RATE = json.dumps({"limit": 3, "per_ms": 60_000})


def test_a_queue_has_no_more_in_flight_than_its_limit(setup: DatabaseSetup) -> None:
    setup.rule(run_limit=3)
    runs = [setup.accept() for _ in range(6)]
    assert setup.turn() == runs[:3]
    setup.begin(runs[0])
    assert setup.turn() == []
    setup.park(runs[0])

    assert setup.turn() == [runs[3]]


def test_a_limit_counts_runs_of_dead_and_draining_workers_too(setup: DatabaseSetup) -> None:
    """They may still execute: their slots are in use until they are recovered."""
    setup.rule(run_limit=2)
    gone = setup.world.worker(slots=4)
    for _ in range(2):
        setup.world.run("executing", worker=gone)
    setup.connection.execute("UPDATE worker SET draining = TRUE, consuming_at = NULL WHERE id = %s", [gone])
    setup.accept()

    assert setup.turn() == []


def test_an_agent_has_no_more_in_flight_than_its_limit_and_others_pass_it(setup: DatabaseSetup) -> None:
    setup.connection.execute("UPDATE worker SET agents = '{echo,other}'")
    for agent in (AGENT, "other"):
        setup.world.insert("agent", {"name": agent, "queue": "default", "version": "1", "input_schema": "{}"})
    setup.connection.execute("UPDATE agent SET run_limit = 2 WHERE name = %s", [AGENT])
    limited = [setup.accept() for _ in range(5)]
    others = [setup.accept(agent="other") for _ in range(5)]
    promoted = setup.turn()
    assert set(promoted) == {*limited[:2], *others}
    setup.begin(limited[0])
    setup.end(limited[0])

    assert setup.turn() == [limited[2]]


def test_no_more_start_than_the_rate_says_and_they_go_on_when_the_time_is_over(setup: DatabaseSetup) -> None:
    setup.rule(rate=RATE)
    runs = [setup.accept() for _ in range(8)]
    assert setup.turn() == runs[:3]
    for run in runs[:3]:
        setup.begin(run)
        setup.end(run)
    assert setup.turn() == []
    _later(setup, 59)
    assert setup.turn() == []
    _later(setup, 2)

    assert setup.turn() == runs[3:6]


def test_starts_are_counted_until_the_time_is_over_for_each(setup: DatabaseSetup) -> None:
    setup.rule(rate=RATE)
    runs = [setup.accept() for _ in range(2)]
    assert setup.turn() == runs
    _later(setup, 40)
    runs += [setup.accept() for _ in range(4)]
    assert setup.turn() == [runs[2]]
    _later(setup, 21)
    assert setup.turn() == runs[3:5]
    assert setup.turn() == []


def test_a_start_counts_for_no_less_than_a_whole_period(setup: DatabaseSetup) -> None:
    """It counts from the end of its slot on, so that no span of the period's length ever has more starts."""
    setup.rule(rate=json.dumps({"limit": 3, "per_ms": 86_400_000}))
    setup.accept()
    setup.turn()

    sql = "SELECT extract(epoch FROM at - promoted_at)::float AS late FROM rate_slot, run"
    [slot] = setup.connection.execute(sql).fetchall()
    assert 0 <= slot["late"] <= 864


def test_a_rate_counts_no_run_that_goes_on(setup: DatabaseSetup) -> None:
    setup.rule(rate=RATE)
    runs = [setup.accept() for _ in range(3)]
    setup.turn()
    for run in runs:
        setup.begin(run)
        setup.park(run)
        setup.wake(run)

    assert set(setup.turn()) == set(runs)


def test_the_leader_looks_again_when_the_rate_gives_more(setup: DatabaseSetup) -> None:
    setup.rule(rate=json.dumps({"limit": 1, "per_ms": 1000}))
    for _ in range(2):
        setup.accept()
    do(setup.promotion, setup.connection)
    setup.connection.execute("UPDATE rate_slot SET at = at - interval '0.8 s'")

    assert 0 <= do(setup.promotion, setup.connection).wait_s < 0.25


def test_a_rate_is_counted_in_slots_of_a_hundredth() -> None:
    assert Rate(5, 60).slot_s == 0.6


def test_a_cordoned_queue_starts_nothing_new_and_what_had_started_goes_on(setup: DatabaseSetup) -> None:
    started = setup.accept()
    setup.turn()
    setup.begin(started)
    setup.park(started)
    new = setup.accept()
    setup.rule(cordoned=True)
    setup.wake(started)
    assert setup.turn() == [started]
    setup.rule(cordoned=False)

    assert setup.turn() == [new]


def test_runs_that_wake_again_and_again_have_their_turns_in_turn(setup: DatabaseSetup) -> None:
    """All are ready all the time and slots are few: the youngest must not starve."""
    pollers = [setup.accept("big") for _ in range(40)]
    for _ in range(5):
        for run in setup.turn():
            setup.begin(run)
            setup.park(run)
    turns: Counter[object] = Counter()
    for run in pollers:
        setup.wake(run)
    for _ in range(25):
        for run in setup.turn():
            turns[run] += 1
            setup.begin(run)
            setup.park(run)
            setup.wake(run)

    assert sum(turns.values()) == 200
    assert set(turns.values()) == {5}


def test_a_tenant_with_few_that_wake_does_not_wait_for_another_with_many(setup: DatabaseSetup) -> None:
    """Four and forty runs that are ready all the time, on eight slots: each of the four has one in each turn."""
    runs = [setup.accept("big") for _ in range(40)] + [setup.accept("small") for _ in range(4)]
    while runs:
        for run in setup.turn():
            setup.begin(run)
            setup.park(run)
            runs.remove(run)
    for row in setup.connection.execute("SELECT id FROM run ORDER BY id").fetchall():
        setup.wake(row["id"])
    turns: list[str] = []
    for _ in range(50):
        for run in setup.turn():
            turns.append(setup.world.row(run)["tenant"])
            setup.begin(run)
            setup.park(run)
            setup.wake(run)

    assert Counter(turns[-240:]) == {"big": 120, "small": 120}


def _later(setup: DatabaseSetup, seconds: int) -> None:
    """Advance the time of the rate: its slots become that much earlier."""
    setup.connection.execute("UPDATE rate_slot SET at = at - %s * interval '1 s'", [seconds])
