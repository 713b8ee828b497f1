from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway.durations import milliseconds, seconds


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


@given(st.timedeltas(min_value=timedelta(0)))
def test_the_iso_form_of_a_duration_means_the_same(length: timedelta) -> None:
    iso = f"P{length.days}DT{length.seconds}.{length.microseconds:06}S"
    assert seconds(iso) == pytest.approx(seconds(length))


def test_a_short_duration_is_at_least_a_millisecond() -> None:
    assert (milliseconds(0.0001), milliseconds("1s"), milliseconds(0), milliseconds(None)) == (1, 1000, 0, None)
