"""A run's clock continues from the run's own records, and never goes back, wherever its activations execute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from executor.activation.run_clock import clock_ms
from tests import rows

CLAIM = rows.claim(created_ms=1_000.0, started_ms=2_000.0, now_ms=50_000.0)


def _step(at: float | None, finished: float | None) -> dict[str, Any]:
    return {"at": at, "finishedMs": finished}


def _turn(at: float, committed: float) -> dict[str, Any]:
    return {"at": at, "committedMs": committed}


def test_a_run_without_records_is_as_old_as_its_start() -> None:
    assert clock_ms(CLAIM, [], []) == 48_000


def test_the_newest_own_entry_counts_by_the_databases_time() -> None:
    assert clock_ms(CLAIM, [_step(300, 40_000), _step(100, 30_000)], []) == 10_300
    assert clock_ms(CLAIM, [_step(300, 40_000)], [_turn(400, 45_000)]) == 5_400
    assert clock_ms(CLAIM, [_step(None, 49_000), _step(300, 40_000), _step(200, None)], []) == 10_300


def test_what_a_retry_took_over_lies_before_its_start() -> None:
    assert clock_ms(CLAIM, [_step(7_000, 500)], [_turn(9_000, 900)]) == 9_000 + 48_000
    assert clock_ms(CLAIM, [_step(7_000, 500), _step(9_100, 49_000)], [_turn(9_000, 900)]) == 10_100


def test_records_of_the_version_before_have_no_moment() -> None:
    assert clock_ms(CLAIM, [_step(None, 40_000)], []) == 48_000


def test_a_clock_of_the_database_that_was_set_back_takes_nothing_back() -> None:
    assert clock_ms(replace(CLAIM, now_ms=1_500.0), [_step(300, 40_000)], []) == 300
    assert clock_ms(replace(CLAIM, now_ms=1_500.0), [], []) == 0


_moments = st.floats(0, 1e9)


@given(st.lists(st.tuples(_moments, _moments)), _moments)
def test_it_is_never_less_than_what_is_recorded(entries: list[tuple[float, float]], now: float) -> None:
    steps = [_step(at, finished) for at, finished in entries]
    assert clock_ms(replace(CLAIM, now_ms=now), steps, []) >= max([0.0, *(at for at, _ in entries)])
