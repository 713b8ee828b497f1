from datetime import datetime, timedelta

import pytest

from models.calendar.recurrence import recurrence
from models.calendar.window_times import Timetable

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def table(cron: str, hours: float, timezone: str = BERLIN, *, blackout: bool = False) -> Timetable:
    return Timetable(recurrence(cron, timezone), timedelta(hours=hours), blackout)


@pytest.mark.parametrize(
    ("moment", "is_open", "until"),
    [
        ("2026-11-26T20:59:59Z", False, "2026-11-26T21:00Z"),
        ("2026-11-26T21:00Z", True, "2026-11-27T05:00Z"),
        ("2026-11-27T04:59:59.999Z", True, "2026-11-27T05:00Z"),
        ("2026-11-27T05:00Z", False, "2026-11-27T21:00Z"),
        ("2026-11-28T06:00Z", False, "2026-11-30T21:00Z"),  # no night begins at the weekend
    ],
)
def test_a_window_over_midnight_is_open_from_its_start_until_before_its_end(
    moment: str, is_open: bool, until: str
) -> None:
    standing = table("0 22 * * 1-5", 8).standing(at(moment))
    assert (standing.open, standing.until) == (is_open, at(until))


def test_a_blackout_is_closed_when_a_window_would_be_open() -> None:
    inside = table("0 22 * * *", 8, blackout=True).standing(at("2026-11-26T23:00Z"))
    outside = table("0 22 * * *", 8, blackout=True).standing(at("2026-11-26T12:00Z"))
    assert (inside.open, inside.until) == (False, at("2026-11-27T05:00Z"))
    assert (outside.open, outside.until) == (True, at("2026-11-26T21:00Z"))


@pytest.mark.parametrize(
    ("cron", "hours", "timezone", "begins", "ends"),
    [
        # The night in which the clock goes back: two hours are two hours, from 01:00 +02 until the second 02:00.
        ("0 1 * * *", 2, BERLIN, "2026-10-24T23:00Z", "2026-10-25T01:00Z"),
        # A start that the clock shows twice opens the first time.
        ("30 2 * * *", 1, BERLIN, "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        # A start that the clock skips opens when the clock continues, for its whole duration.
        ("30 2 * * *", 1, BERLIN, "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
        ("0 1 * * *", 2, BERLIN, "2026-03-29T00:00Z", "2026-03-29T02:00Z"),
        ("15 2 * * *", 0.5, "Australia/Lord_Howe", "2026-10-03T15:30Z", "2026-10-03T16:00Z"),
        ("0 23 L * *", 2, "Asia/Kathmandu", "2028-02-29T17:15Z", "2028-02-29T19:15Z"),
        ("0 18 29 2 *", 24, "America/New_York", "2028-02-29T23:00Z", "2028-03-01T23:00Z"),
    ],
)
def test_a_period_lasts_its_duration_of_elapsed_time(
    cron: str, hours: float, timezone: str, begins: str, ends: str
) -> None:
    window = table(cron, hours, timezone)
    [period] = window.next_periods(at(begins) - timedelta(seconds=1), 1)
    assert (period.begins, period.ends) == (at(begins), at(ends))
    assert not window.standing(at(begins) - timedelta(seconds=1)).open
    assert window.standing(at(begins)).open
    assert window.standing(at(ends) - timedelta(seconds=1)).open
    assert not window.standing(at(ends)).open


def test_periods_that_touch_are_one() -> None:
    window = table("*/5 9-16 * * *", 1 / 12)
    [first, second] = window.next_periods(at("2026-11-26T12:02Z"), 2)
    assert (first.begins, first.ends) == (at("2026-11-26T08:00Z"), at("2026-11-26T16:00Z"))
    assert (second.begins, second.ends) == (at("2026-11-27T08:00Z"), at("2026-11-27T16:00Z"))


def test_periods_that_overlap_are_one() -> None:
    [first] = table("0 9,10,12 * * *", 2, "UTC").next_periods(at("2026-11-26T00:00Z"), 1)
    assert (first.begins, first.ends) == (at("2026-11-26T09:00Z"), at("2026-11-26T14:00Z"))


def test_a_window_that_is_always_open_has_no_end() -> None:
    standing = table("0 * * * *", 1.5).standing(at("2026-11-26T12:00Z"))
    assert (standing.open, standing.until) == (True, None)


def test_a_blackout_that_never_ends_is_closed_for_ever() -> None:
    standing = table("0 * * * *", 1, blackout=True).standing(at("2026-11-26T12:00Z"))
    assert (standing.open, standing.until) == (False, None)


def test_the_periods_around_and_after_an_instant_are_listed() -> None:
    found = table("0 22 * * 1-5", 8).next_periods(at("2026-11-26T23:00Z"), 3)
    assert [(period.begins, period.ends) for period in found] == [
        (at("2026-11-26T21:00Z"), at("2026-11-27T05:00Z")),
        (at("2026-11-27T21:00Z"), at("2026-11-28T05:00Z")),
        (at("2026-11-30T21:00Z"), at("2026-12-01T05:00Z")),
    ]
