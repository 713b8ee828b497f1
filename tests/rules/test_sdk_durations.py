from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import taxiway
from hypothesis import given
from hypothesis import strategies as st
from taxiway import Retry, Run, agent
from taxiway.durations import LONGEST, milliseconds, seconds, until
from taxiway.testing import Unanswered, approve, expire, play

from api.http import durations as of_the_api
from executor.activation import frame_fields


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (90, 90),
        (0.25, 0.25),
        (0, 0),
        (timedelta(minutes=2, milliseconds=5), 120.005),
        ("20s", 20),
        ("15m", 900),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("2d", 172_800),
        ("1w", 604_800),
        (" 5m ", 300),
        ("PT15M", 900),
        ("pt20s", 20),
        ("PT1H30M", 5400),
        ("P1DT2H", 93_600),
        ("P2W", 1_209_600),
        ("PT0.5S", 0.5),
    ],
)
def test_every_way_to_write_a_duration_is_read(written: Any, meant: float) -> None:
    assert seconds(written) == pytest.approx(meant)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "15",
        "m",
        "15 m",
        "1m2",
        "-5m",
        "P",
        "PT",
        "P1M",
        "P1Y",
        "P1DT",
        "soon",
        "1h30",
        -1,
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_was_written(written: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(written)


@pytest.mark.parametrize("written", [None, True, [1], b"1s"])
def test_what_can_be_no_duration_is_a_type_error(written: Any) -> None:
    with pytest.raises(TypeError, match="a duration is seconds, a timedelta or a text"):
        seconds(written)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=LONGEST)))
def test_the_iso_form_of_a_duration_means_the_same(length: timedelta) -> None:
    iso = f"P{length.days}DT{length.seconds}.{length.microseconds:06}S"
    assert seconds(iso) == pytest.approx(seconds(length))


def test_a_short_duration_is_at_least_a_millisecond() -> None:
    assert (milliseconds(0.0001), milliseconds("1s"), milliseconds(0), milliseconds(None)) == (1, 1000, 0, None)


TOO_LONG: list[Any] = [
    timedelta.max,
    timedelta(days=36600, seconds=1),
    1e11,
    10**5000,
    "5230w",
    "P36601D",
    float("inf"),
]
BAD = [*TOO_LONG, -1, timedelta(seconds=-1), float("nan")]


def test_one_bound_holds_in_the_sdk_the_worker_and_the_http_interface() -> None:
    assert LONGEST * 1000 == frame_fields.LONGEST_MS == of_the_api.LONGEST_MS
    assert milliseconds(timedelta(days=36600)) == frame_fields.LONGEST_MS


@pytest.mark.parametrize("written", BAD, ids=range(len(BAD)))
def test_a_duration_out_of_bounds_is_refused_with_the_bound_and_what_was_written(written: Any) -> None:
    with pytest.raises(ValueError, match=r"a duration lies between 0 and 100 years \(36,600 days\), not .") as caught:
        seconds(written)
    assert len(str(caught.value)) < 150


def nothing() -> None: ...


@pytest.mark.parametrize("written", [timedelta(days=36600, seconds=1), -1, float("nan")])
@pytest.mark.parametrize(
    "call",
    [
        lambda run, it: run.sleep(it),
        lambda run, it: run.timer(it),
        lambda run, it: run.approve("?", timeout=it),
        lambda run, it: run.approval("?", timeout=it),
        lambda run, it: run.ask("?", timeout=it),
        lambda run, it: run.authorize("stripe", subject="ann", timeout=it),
        lambda run, it: run.wait_for("paid", timeout=it),
        lambda run, it: run.signal("paid", timeout=it),
        lambda run, it: run.pause("later", timeout=it),
        lambda run, it: run.spawn("other", timeout=it),
        lambda run, it: run.map("other", [{}], timeout=it),
        lambda run, it: run.child("other", timeout=it),
        lambda run, it: run.using(timeout=it),
        lambda _, it: Retry(initial=it),
        lambda _, it: Retry(max=it),
        lambda _, it: taxiway.RetryAfter(it),
        lambda _, it: taxiway.step(timeout=it),
        lambda _, it: taxiway.agent(name="late", timeout=it)(lambda run: run),
    ],
)  # fmt: skip
def test_every_call_that_takes_a_duration_refuses_one_out_of_bounds(call: Any, written: Any) -> None:
    def calls(run: Run) -> None:
        with pytest.raises(ValueError, match="100 years"):
            call(run, written)

    assert play(agent(calls)).status == "SUCCESS"


@pytest.mark.parametrize("endless", [None, timedelta.max])
@pytest.mark.parametrize(
    "wait",
    [
        lambda run, it: run.approve("?", timeout=it),
        lambda run, it: run.ask("?", timeout=it),
        lambda run, it: run.authorize("bank", subject="ann", timeout=it),
        lambda run, it: run.wait_for("?", timeout=it),
        lambda run, it: run.pause("?", timeout=it),
    ],
)  # fmt: skip
def test_a_wait_without_end_outlasts_every_timer(wait: Any, endless: Any) -> None:
    def waits(run: Run) -> None:
        run.gather(run.timer(timedelta(days=36600)))
        wait(run, endless)

    with pytest.raises(Unanswered) as caught:
        play(agent(waits), given=[expire("*")])
    assert "Not used so far: expire('*')" in str(caught.value)
    assert "to let its time run out" not in str(caught.value)


def test_a_wait_takes_a_week_or_a_day_unless_it_says_otherwise() -> None:
    def waits(run: Run) -> None:
        run.approve("?", on_timeout="return", on_deny="return")
        with pytest.raises(taxiway.WaitTimeout):
            run.authorize("bank", subject="ann")

    assert play(agent(waits), given=[expire("?"), expire("bank")]).slept == 8 * 86_400


def test_a_wait_without_end_is_answered_like_any_other() -> None:
    def waits(run: Run) -> bool:
        run.sleep("5000w")
        return run.approve("?", timeout=None).approved

    assert play(agent(waits), given=[approve("?", after="5000w")]).result is True
    assert (until(None), until(timedelta.max), until("1s")) == (None, None, 1000)


def test_a_back_off_is_bounded_with_its_jitter() -> None:
    retry = Retry(attempts=9, initial=LONGEST, max=LONGEST, jitter=1)
    assert retry.delay_after(1, ValueError(), 1) == LONGEST
    with pytest.raises(ValueError, match="factor"):
        Retry(factor=float("inf"))


def test_a_step_that_asks_for_a_delay_beyond_the_bound_fails_and_says_so() -> None:
    def later() -> None:
        raise taxiway.RetryAfter(timedelta.max)

    def tries(run: Run) -> None:
        run.using(retry=Retry(attempts=3)).step(later)

    outcome = play(agent(tries))
    assert outcome.error is not None
    assert "100 years" in outcome.error.message
