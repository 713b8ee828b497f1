from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway import Fatal, Retry, RetryAfter


def test_delays_grow_by_the_factor_up_to_the_longest() -> None:
    policy = Retry(attempts=9, initial="2s", factor=3, max="50s", jitter=0)
    assert [policy.delay_after(n, ValueError()) for n in range(1, 6)] == [2, 6, 18, 50, 50]


def test_the_last_attempt_is_followed_by_none() -> None:
    assert Retry(attempts=3).delay_after(2, ValueError()) is not None
    assert Retry(attempts=3).delay_after(3, ValueError()) is None
    assert Retry().delay_after(1, ValueError()) is None


@given(st.integers(1, 10_000), st.floats(-1, 1), st.floats(0, 1), st.floats(1, 1e9))
def test_a_delay_stays_within_its_jitter_however_many_attempts(
    n: int, spread: float, jitter: float, factor: float
) -> None:
    policy = Retry(attempts=20_000, initial=1, factor=factor, max=60, jitter=jitter)
    plain = Retry(attempts=20_000, initial=1, factor=factor, max=60, jitter=0).delay_after(n, ValueError())
    delay = policy.delay_after(n, ValueError(), spread)
    assert plain is not None
    assert plain <= 60
    assert delay is not None
    assert plain * (1 - jitter) - 1e-9 <= delay <= plain * (1 + jitter) + 1e-9


def test_jitter_spreads_delays() -> None:
    policy = Retry(attempts=2, initial="10s", jitter=0.5)
    delays = {policy.delay_after(1, ValueError()) for _ in range(50)}
    assert len(delays) > 40
    assert all(delay is not None and 5 <= delay <= 15 for delay in delays)


def test_only_the_named_errors_are_tried_again_and_never_those_to_give_up_on() -> None:
    policy = Retry(attempts=5, on=(OSError, KeyError), give_up=FileNotFoundError)
    assert policy.delay_after(1, ConnectionError()) is not None
    assert policy.delay_after(1, KeyError()) is not None
    assert policy.delay_after(1, FileNotFoundError()) is None
    assert policy.delay_after(1, ValueError()) is None
    assert Retry(attempts=5).delay_after(1, KeyboardInterrupt()) is None


def test_a_step_s_own_word_beats_the_policy() -> None:
    policy = Retry(attempts=5, on=OSError, give_up=(RetryAfter, Fatal))
    assert policy.delay_after(1, RetryAfter("20s")) == 20
    assert policy.delay_after(5, RetryAfter("20s")) is None, "but attempts are attempts"
    assert Retry(attempts=5).delay_after(1, Fatal("no")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"factor": 0.5},
        {"factor": float("nan")},
        {"jitter": 1.5},
        {"initial": "soon"},
        {"max": -1},
        {"on": "ValueError"},
        {"give_up": (1,)},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_where_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=r"Retry\(|duration"):
        Retry(**wrong)
