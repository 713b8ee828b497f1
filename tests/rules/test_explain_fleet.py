"""The explanation of missing workers, and of a run's position, agrees with the scheduler's decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.explain import fleet, ready_blockers
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import (
    AgentRule,
    Ahead,
    Count,
    InFlight,
    Serving,
)
from tests.rules.explained import HOUR, NOW, ONE, TWO, W1, kinds, only, queue, ready, run, window

FREE = Serving(ONE, "w1", ["echo"], slots=2, leased=1, draining=False, consuming=True)


def test_without_any_worker_of_its_queue_that_is_said_alone() -> None:
    assert kinds(fleet.missing(ready(workers=[]))) == ["no_worker"]


def test_workers_that_do_not_take_the_run_are_told_with_what_they_do_instead() -> None:
    def worker(name: str, agents: list[str], *, draining: bool = False, consuming: bool = True) -> Serving:
        return Serving(ONE, name, agents, 4, 0, draining, consuming)

    workers = [
        worker("a", ["other", "more"]), worker("b", ["other", "more"]), worker("c", ["echo"], draining=True),
        worker("d", ["echo"], consuming=False), worker("e", []), worker("f", [], draining=True),
    ]  # fmt: skip
    found = only(fleet.missing(ready(workers=workers)))
    assert found.kind is Kind.AGENT_UNSERVED
    assert found.detail == (
        "No worker of the queue default takes runs of the agent echo at the moment: 2 serve more and other; 2 drain; "
        "1 takes nothing from the broker; 1 has not registered agents yet."
    )
    assert [one["name"] for one in found.facts["workers"]] == ["a", "b", "c", "d", "e", "f"]
    assert fleet.missing(ready(workers=[*workers, W1])) == []


def test_slots_are_counted_as_the_scheduler_counts_them() -> None:
    busy = Serving(TWO, "w2", ["x"], slots=2, leased=3, draining=False, consuming=True)
    free = Serving(TWO, "w3", ["x"], slots=4, leased=1, draining=False, consuming=True)
    gone = Serving(TWO, "w4", ["x"], slots=9, leased=0, draining=True, consuming=True)
    has = fleet.slots(ready(workers=[W1, busy, free, gone], in_flight=[InFlight("default", "x", 2, 2)]))
    assert has == fleet.Slots(total=8, executing=6, promised=2, free=1)


def test_a_run_that_waits_for_its_turn_says_how_busy_it_is_and_who_goes_before() -> None:
    facts = ready(in_flight=[InFlight("default", "echo", 3, 1)])
    assert ready_blockers.waits_for_turn(facts, ready_blockers.holding(facts))
    found = fleet.capacity(facts, Ahead(higher=1, same=0, other=0))
    assert found.facts == {"queue": "default", "slots": 2, "executing": 2, "promised": 1, "ahead": 1}
    assert found.detail == (
        "All 2 slots of the queue default are taken: 2 execute runs, 1 is reserved for promoted runs. "
        "1 ready run goes before it."
    )
    assert fleet.capacity(ready(), Ahead(0, 0, 0)).detail.endswith("are taken: 2 execute runs. It is next.")


@pytest.mark.parametrize(
    ("resumed", "before", "turns"),
    [
        (False, Ahead(0, 0, 0), 0),
        (False, Ahead(0, 0, 9), 3),  # three of the started ones, then this one
        (False, Ahead(2, 4, 9), 2 + 4 + 9),
        (False, Ahead(0, 4, 99), 4 + 15),
        (True, Ahead(0, 0, 9), 0),
        (True, Ahead(1, 7, 9), 1 + 7 + 2),
        (True, Ahead(0, 9, 1), 9 + 1),
    ],
)
def test_of_four_promotions_one_is_of_a_new_run(resumed: bool, before: Ahead, turns: int) -> None:
    assert fleet.turns_before(run(resumed=resumed), before) == Count(turns)


def test_only_classes_that_may_go_are_counted() -> None:
    agents = {
        "echo": AgentRule("echo"), "paused": AgentRule("paused", paused=True), "gated": AgentRule("gated", window="night"),
        "full": AgentRule("full", limit=1), "roomy": AgentRule("roomy", limit=2),
    }  # fmt: skip
    worker = Serving(ONE, "w", [*agents, "new"], 9, 0, draining=False, consuming=True)
    facts: dict[str, Any] = {
        "windows": [window("night"), window("day", kind="blackout")], "agents": agents, "workers": [worker],
        "in_flight": [InFlight("x", "full", 1, 0), InFlight("x", "roomy", 1, 0)],
    }  # fmt: skip
    assert fleet.classes(ready(**facts)) == (["echo", "new", "roomy"], ["", "day"], [True, False])
    limited = queue(rate={"limit": 1, "per_ms": 1000})
    for only_others in (queue(cordoned=True), limited):
        the_run = run(resumed=True)
        assert fleet.classes(ready(the_run, queue=only_others, starts=[(NOW, 1)], **facts))[2] == [True]
        facts["windows"] = []


def test_a_run_that_nothing_holds_is_promoted_in_a_moment_if_somebody_promotes() -> None:
    facts = ready(workers=[FREE])
    assert ready_blockers.holding(facts) == []
    assert not ready_blockers.waits_for_turn(facts, [])
    assert kinds(ready_blockers.further(facts, [])) == ["promotion"]
    assert kinds(ready_blockers.further(ready(workers=[FREE], led=False), [])) == ["no_scheduler"]
    assert ready_blockers.further(facts, [fleet.promotion(facts)]) == [], "what is held by something is not promoted"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ["promoted", "capacity"]),
        ({"workers": []}, ["promoted"]),
        ({"led": False, "workers": [FREE]}, ["promoted", "no_scheduler"]),
    ],
)  # fmt: skip
def test_a_promoted_run_waits_for_a_worker(facts: dict[str, Any], expected: list[str]) -> None:
    ticket = run(ticket_at=NOW - timedelta(seconds=20), promoted_at=NOW - HOUR, ticket_n=4)
    given = ready(ticket, **facts)
    found = ready_blockers.holding(given)
    assert kinds(ready_blockers.further(given, found)) == expected
    assert kinds(found) == (["no_worker"] if facts.get("workers") == [] else [])
    [promoted, *_] = ready_blockers.further(given, found)
    assert (promoted.since, promoted.facts) == (NOW - HOUR, {"publications": 4})
    assert "published 4 times" in promoted.detail
