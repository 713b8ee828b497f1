"""Slots are filled one after another if runs take long, and all together if runs are many or short."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scheduler.promotion.pacing import GAP_SECONDS, Pace


def play(
    pace: Pace, slots: int, seconds: float, *, runs: int, began: float = 100.0, takes: float = 0.001
) -> list[float]:
    """Return the times of so many promotions: each run holds a slot for `seconds`, each look takes `takes`."""
    now, ends, moments = began, [began] * slots, list[float]()
    while len(moments) < runs:
        free = sum(end <= now for end in ends)
        if allowed := pace.allowed(free, now) if free else 0:
            moments += [now] * allowed
            ends = sorted(ends)[allowed:] + [now + seconds] * allowed
            pace.promoted(allowed, free, now)
            now += takes
        else:
            now = max(now + takes, min(ends)) if not free else now + max(takes, pace.wait(now))
    return moments


def test_a_queue_of_which_nothing_is_known_fills_all_its_slots_at_once() -> None:
    assert Pace().allowed(8, 100.0) == 8


@pytest.mark.parametrize("seconds", [0.05, 0.25, 2.0])
def test_runs_of_equal_length_that_start_together_soon_start_apart(seconds: float) -> None:
    moments = play(Pace(), slots=8, seconds=seconds, runs=160)
    assert len(set(moments[:8])) == 1
    gaps = [after - before for before, after in pairwise(moments[-40:])]
    assert min(gaps) > 0.0035


def test_that_costs_the_slots_next_to_nothing() -> None:
    moments = play(Pace(), slots=8, seconds=0.25, runs=400)
    assert 400 * 0.25 / (8 * (moments[-1] - moments[0])) > 0.97


def test_short_runs_are_promoted_as_fast_as_they_end() -> None:
    moments = play(Pace(), slots=8, seconds=0.01, runs=2000)
    assert 1000 / (moments[-1] - moments[-1001]) > 600


def test_a_queue_that_was_slow_is_soon_as_fast_as_its_runs() -> None:
    pace = Pace()
    play(pace, slots=8, seconds=0.25, runs=80)
    moments = play(pace, slots=8, seconds=0.01, runs=400, began=200.0)
    assert 200 / (moments[-1] - moments[-201]) > 600


@pytest.mark.parametrize("slots", [1, 3, 8, 20, 100, 10_000])
def test_however_many_slots_are_free_all_are_filled_soon(slots: int) -> None:
    pace = Pace()
    play(pace, slots=1, seconds=0.25, runs=40)
    moments = play(pace, slots=slots, seconds=60, runs=slots, began=200.0)
    assert moments[-1] - moments[0] <= 0.1


def test_the_last_of_eight_slots_is_filled_forty_milliseconds_after_the_first() -> None:
    pace = Pace()
    play(pace, slots=1, seconds=0.25, runs=40)
    moments = play(pace, slots=8, seconds=60, runs=8, began=200.0)
    assert moments[-1] - moments[0] == pytest.approx(0.04, abs=0.002)


def test_a_lone_run_waits_for_nothing() -> None:
    pace = Pace()
    play(pace, slots=1, seconds=0.25, runs=40)
    assert pace.allowed(8, 200.0) == 1
    pace.promoted(1, 8, 200.0)
    assert 0 < pace.wait(200.0) <= GAP_SECONDS
    assert pace.allowed(7, 200.0) == 0
    assert pace.wait(201.0) == 0
    assert pace.allowed(7, 201.0) == 1


def test_where_slots_are_to_be_filled_in_no_time_they_are_filled_at_once() -> None:
    pace = Pace(fill_s=0)
    for n in range(40):
        pace.promoted(1, 8, 100.0 + n)
    assert pace.allowed(8, 140.0) == 8
