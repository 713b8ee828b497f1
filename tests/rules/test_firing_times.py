from datetime import datetime, timedelta
from typing import Literal

import pytest

from models.calendar.recurrence import Recurrence, recurrence
from models.operations.firing_times import LATE, Due, due

HOURLY, DAILY = recurrence("0 * * * *", "UTC"), recurrence("30 2 * * *", "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("catch_up", ["none", "last"])
@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=59), LATE])
def test_a_firing_within_a_minute_is_made(catch_up: Literal["none", "last"], late: timedelta) -> None:
    wanted = at("2026-11-26T10:00Z")
    assert due(HOURLY, wanted, wanted + late, catch_up) == Due(wanted, at("2026-11-26T11:00Z"))


@pytest.mark.parametrize(
    ("catch_up", "now", "expected"),
    [
        ("none", "2026-11-26T10:02Z", Due(None, at("2026-11-26T11:00Z"))),
        ("none", "2026-11-26T14:30Z", Due(None, at("2026-11-26T15:00Z"))),
        ("none", "2026-11-26T14:00:30Z", Due(at("2026-11-26T14:00Z"), at("2026-11-26T15:00Z"))),
        ("last", "2026-11-26T10:02Z", Due(at("2026-11-26T10:00Z"), at("2026-11-26T11:00Z"))),
        ("last", "2026-11-26T14:30Z", Due(at("2026-11-26T14:00Z"), at("2026-11-26T15:00Z"))),
        ("last", "2027-11-26T14:30Z", Due(at("2027-11-26T14:00Z"), at("2027-11-26T15:00Z"))),
    ],
)
def test_of_firings_that_were_missed_none_is_made_or_the_last(
    catch_up: Literal["none", "last"], now: str, expected: Due
) -> None:
    assert due(HOURLY, at("2026-11-26T10:00Z"), at(now), catch_up) == expected


def test_every_firing_of_the_last_minute_is_made_one_after_the_other() -> None:
    every_second, now = Recurrence("* * * * * *", "UTC"), at("2026-11-26T10:00:30.5Z")
    made, wanted = [], at("2026-11-26T10:00:00Z")
    while wanted <= now:
        then = due(every_second, wanted, now, "none")
        assert then.at is not None
        assert then.following is not None
        made.append(then.at)
        wanted = then.following
    assert made == [at("2026-11-26T10:00:00Z") + timedelta(seconds=n) for n in range(31)]


@pytest.mark.parametrize(
    ("seen", "following"),
    [
        ("2026-03-28T01:30Z", "2026-03-29T01:00Z"),  # the clock skips 02:30
        ("2026-03-29T01:00Z", "2026-03-30T00:30Z"),
        ("2026-10-24T00:30Z", "2026-10-25T00:30Z"),  # the clock shows 02:30 twice
        ("2026-10-25T00:30Z", "2026-10-26T01:30Z"),
    ],
)
def test_a_daily_schedule_fires_once_a_day_also_when_the_clock_moves(seen: str, following: str) -> None:
    assert due(DAILY, at(seen), at(seen), "none") == Due(at(seen), at(following))


@pytest.mark.parametrize(
    ("since", "until", "last"),
    [
        ("2026-11-26T10:00Z", "2026-11-26T10:59Z", None),
        ("2026-11-26T10:00Z", "2026-11-26T11:00Z", "2026-11-26T11:00Z"),
        ("2026-11-26T10:00Z", "2026-11-26T13:59:59Z", "2026-11-26T13:00Z"),
        ("2020-01-01T00:00Z", "2026-11-26T13:59:59Z", "2026-11-26T13:00Z"),
    ],
)
def test_the_last_start_before_a_moment_is_found(since: str, until: str, last: str | None) -> None:
    assert HOURLY.last(at(since), at(until)) == (last and at(last))


def test_a_yearly_start_is_found_over_many_years() -> None:
    leap = recurrence("0 0 29 2 *", "UTC")
    assert leap.last(at("2020-03-01T00:00Z"), at("2031-01-01T00:00Z")) == at("2028-02-29T00:00Z")
