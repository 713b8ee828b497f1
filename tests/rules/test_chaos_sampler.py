"""Observations during a chaos run: slots promised twice, and times in which nothing happens."""

from __future__ import annotations

from typing import Any

from ops.chaos.measures import Gap, Slots


def row(leased: int, tickets: int, workers: str = "ab", overfull: Any = None) -> dict[str, Any]:
    return {
        "workers": list(workers),
        "slots": 4 * len(workers),
        "leased": leased,
        "tickets": tickets,
        "overfull": overfull,
    }


def test_a_promotion_beyond_the_slots_is_seen() -> None:
    slots = Slots()
    assert [slots.look(at, row(6, at)) for at in (0, 2)] == [None, None]
    assert slots.look(3, row(6, 3)) == "3 tickets and 6 leases for 8 slots"


def test_an_excess_that_a_lost_worker_left_behind_may_shrink_and_not_grow() -> None:
    slots = Slots()
    assert slots.look(0, row(6, 2)) is None
    assert slots.look(1, row(4, 2, "a")) is None, "a worker is gone; its tickets are not"
    assert slots.look(5, row(4, 1, "a")) is None
    assert slots.look(6, row(4, 2, "a")) is not None


def test_a_promotion_that_was_under_way_when_a_worker_left_is_no_fault() -> None:
    slots = Slots()
    slots.look(0, row(6, 0))
    slots.look(1.0, row(4, 0, "a"))
    assert slots.look(1.2, row(4, 2, "a")) is None


def test_a_worker_with_more_runs_than_slots_is_seen_at_once() -> None:
    assert Slots().look(0, row(5, 0, "a", overfull=[["default-1x4", 5]])) is not None


def test_a_gap_lasts_from_the_first_sample_in_which_something_could_happen_until_it_does() -> None:
    gap = Gap()
    samples = [(0, False, "a"), (1, True, "a"), (2, True, "a"), (3, True, "b"), (4, True, "b"), (5, False, "b")]
    assert [gap.look(at, could, mark) for at, could, mark in samples] == [0, 0, 0, 2, 0, 2]


def test_there_is_no_gap_while_nothing_could_happen() -> None:
    gap = Gap()
    assert [gap.look(at, False, "a") for at in range(5)] == [0] * 5
