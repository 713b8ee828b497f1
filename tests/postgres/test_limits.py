"""Limits of queues and agents, rates, cordons: what ops allow is never exceeded, and what they forbid holds back nothing else."""

from __future__ import annotations

import json
from collections import Counter

from scheduler.promotion.queue_rules import Rate
from tests.postgres.factory import AGENT
from tests.postgres.ground import Ground

RATE = json.dumps({"limit": 3, "per_ms": 60_000})


def test_a_queue_has_no_more_in_flight_than_its_limit(ground: Ground) -> None:
    ground.rule(run_limit=3)
    runs = [ground.accept() for _ in range(6)]
    assert ground.turn() == runs[:3]
    ground.begin(runs[0])
    assert ground.turn() == []
    ground.park(runs[0])

    assert ground.turn() == [runs[3]]


def test_a_limit_counts_runs_of_dead_and_draining_workers_too(ground: Ground) -> None:
    """They may still execute: what they hold is theirs until it is recovered."""
    ground.rule(run_limit=2)
    gone = ground.world.worker(slots=4)
    for _ in range(2):
        ground.world.run("executing", worker=gone)
    ground.connection.execute("UPDATE worker SET draining = TRUE, consuming_at = NULL WHERE id = %s", [gone])
    ground.accept()

    assert ground.turn() == []


def test_an_agent_has_no_more_in_flight_than_its_limit_and_others_pass_it(ground: Ground) -> None:
    ground.connection.execute("UPDATE worker SET agents = '{echo,other}'")
    for agent in (AGENT, "other"):
        ground.world.insert("agent", {"name": agent, "queue": "default", "version": "1", "input_schema": "{}"})
    ground.connection.execute("UPDATE agent SET run_limit = 2 WHERE name = %s", [AGENT])
    limited = [ground.accept() for _ in range(5)]
    others = [ground.accept(agent="other") for _ in range(5)]
    promoted = ground.turn()
    assert set(promoted) == {*limited[:2], *others}
    ground.begin(limited[0])
    ground.end(limited[0])

    assert ground.turn() == [limited[2]]


def test_no_more_start_than_the_rate_says_and_they_go_on_when_the_time_is_over(ground: Ground) -> None:
    ground.rule(rate=RATE)
    runs = [ground.accept() for _ in range(8)]
    assert ground.turn() == runs[:3]
    for run in runs[:3]:
        ground.begin(run)
        ground.end(run)
    assert ground.turn() == []
    _later(ground, 59)
    assert ground.turn() == []
    _later(ground, 2)

    assert ground.turn() == runs[3:6]


def test_starts_are_counted_until_the_time_is_over_for_each(ground: Ground) -> None:
    ground.rule(rate=RATE)
    runs = [ground.accept() for _ in range(2)]
    assert ground.turn() == runs
    _later(ground, 40)
    runs += [ground.accept() for _ in range(4)]
    assert ground.turn() == [runs[2]]
    _later(ground, 21)
    assert ground.turn() == runs[3:5]
    assert ground.turn() == []


def test_a_start_counts_for_no_less_than_a_whole_period(ground: Ground) -> None:
    """It counts from the end of its slot on, so that no span of the period's length ever has more starts."""
    ground.rule(rate=json.dumps({"limit": 3, "per_ms": 86_400_000}))
    ground.accept()
    ground.turn()

    sql = "SELECT extract(epoch FROM at - promoted_at)::float AS late FROM rate_slot, run"
    [slot] = ground.connection.execute(sql).fetchall()
    assert 0 <= slot["late"] <= 864


def test_a_rate_counts_no_run_that_goes_on(ground: Ground) -> None:
    ground.rule(rate=RATE)
    runs = [ground.accept() for _ in range(3)]
    ground.turn()
    for run in runs:
        ground.begin(run)
        ground.park(run)
        ground.wake(run)

    assert set(ground.turn()) == set(runs)


def test_the_leader_looks_again_when_the_rate_gives_more(ground: Ground) -> None:
    ground.rule(rate=json.dumps({"limit": 1, "per_ms": 1000}))
    for _ in range(2):
        ground.accept()
    ground.promotion.step(ground.connection)
    ground.connection.execute("UPDATE rate_slot SET at = at - interval '0.8 s'")

    assert 0 <= ground.promotion.step(ground.connection) < 0.25


def test_a_rate_is_counted_in_slots_of_a_hundredth() -> None:
    assert Rate(5, 60).slot_s == 0.6


def test_a_cordoned_queue_starts_nothing_new_and_what_had_started_goes_on(ground: Ground) -> None:
    started = ground.accept()
    ground.turn()
    ground.begin(started)
    ground.park(started)
    new = ground.accept()
    ground.rule(cordoned=True)
    ground.wake(started)
    assert ground.turn() == [started]
    ground.rule(cordoned=False)

    assert ground.turn() == [new]


def test_runs_that_wake_again_and_again_have_their_turns_in_turn(ground: Ground) -> None:
    """All are ready all the time and there are few slots: the youngest must not starve."""
    pollers = [ground.accept("big") for _ in range(40)]
    for _ in range(5):
        for run in ground.turn():
            ground.begin(run)
            ground.park(run)
    turns: Counter[object] = Counter()
    for run in pollers:
        ground.wake(run)
    for _ in range(25):
        for run in ground.turn():
            turns[run] += 1
            ground.begin(run)
            ground.park(run)
            ground.wake(run)

    assert sum(turns.values()) == 200
    assert set(turns.values()) == {5}


def test_a_tenant_with_few_that_wake_does_not_wait_for_another_with_many(ground: Ground) -> None:
    """Four and forty runs that are ready all the time, on eight slots: each of the four has one in each turn."""
    runs = [ground.accept("big") for _ in range(40)] + [ground.accept("small") for _ in range(4)]
    while runs:
        for run in ground.turn():
            ground.begin(run)
            ground.park(run)
            runs.remove(run)
    for row in ground.connection.execute("SELECT id FROM run ORDER BY id").fetchall():
        ground.wake(row["id"])
    turns: list[str] = []
    for _ in range(50):
        for run in ground.turn():
            turns.append(ground.world.row(run)["tenant"])
            ground.begin(run)
            ground.park(run)
            ground.wake(run)

    assert Counter(turns[-240:]) == {"big": 120, "small": 120}


def _later(ground: Ground, seconds: int) -> None:
    """Let time pass for the rate: its slots were that much earlier."""
    ground.connection.execute("UPDATE rate_slot SET at = at - %s * interval '1 s'", [seconds])
