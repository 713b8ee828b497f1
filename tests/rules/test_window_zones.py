"""Windows open and close at the instants of `dateutil`: its recurrence rules and its own copy of the zones' rules.

The comparison: a period begins at each start of the other library's rule and lasts its duration of elapsed time;
touching periods are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from dateutil import rrule

from models.calendar.recurrence import recurrence
from models.calendar.window_times import Timetable
from tests.rules.test_recurrence import BEGUN, EVERY, MOVES, RULES, ZONES, instant, zone

Periods = list[tuple[datetime, datetime]]
# Beside those of named times: windows of working days, of nights, of the first days of a month, over several days.
WEEKS = {
    "0 22 * * 1-5": (rrule.rrule(rrule.WEEKLY, byweekday=range(5), byhour=22, byminute=0, bysecond=0, dtstart=BEGUN), 8.0),
    "0 20 * * 5": (rrule.rrule(rrule.WEEKLY, byweekday=rrule.FR, byhour=20, byminute=0, bysecond=0, dtstart=BEGUN), 60.0),
    "0 1 * * 0": (rrule.rrule(rrule.WEEKLY, byweekday=rrule.SU, byhour=1, byminute=0, bysecond=0, dtstart=BEGUN), 2.0),
    "30 1 1-7 * *": (rrule.rrule(rrule.MONTHLY, bymonthday=range(1, 8), byhour=1, byminute=30, bysecond=0, dtstart=BEGUN), 24.0),
}  # fmt: skip
WINDOWS = {cron: (rule, 1.5) for cron, rule in RULES.items()} | WEEKS
_SECOND = timedelta(seconds=1)


def _periods(starts: Iterable[datetime], duration: timedelta) -> Periods:
    found: Periods = []
    for start in starts:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], start + duration)
        else:
            found.append((start, start + duration))
    return found


def _listed(table: Timetable, since: datetime, until: datetime) -> Periods:
    listed = takewhile(lambda period: period.begins < until, table.periods(since))
    return [(period.begins, period.ends) for period in listed if period.ends]


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", WINDOWS)
def test_a_window_of_named_times_opens_and_closes_for_a_year_as_an_independent_library_says(
    cron: str, timezone: str
) -> None:
    rule, hours = WINDOWS[cron]
    begun, over, duration = datetime(2025, 2, 1), datetime(2026, 2, 1), timedelta(hours=hours)
    where = zone(timezone)
    starts = sorted(
        {instant(wall, where) for wall in rule.between(begun - timedelta(days=8), over + timedelta(days=8))}
    )
    since, until = instant(begun, where), instant(over, where)
    expected = [period for period in _periods(starts, duration) if period[1] > since and period[0] < until]

    table, blackout = (Timetable(recurrence(cron, timezone), duration, closes) for closes in (False, True))
    assert _listed(table, since, until) == expected
    for begins, ends in expected[:40]:
        sides = {begins - _SECOND: False, begins: True, ends - _SECOND: True, ends: False}
        assert {at: table.standing(at).open for at in sides} == sides
        assert (blackout.standing(begins).open, blackout.standing(ends).open) == (False, True)
        assert table.standing(begins).until == blackout.standing(begins).until == ends


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", EVERY)
@pytest.mark.parametrize("season", ["forward", "back"])
def test_a_window_that_follows_elapsed_time_opens_and_closes_around_a_move_of_the_clock(
    cron: str, timezone: str, season: str
) -> None:
    middle = datetime.fromisoformat(f"{MOVES[timezone][season == 'back']}T00:00:00").replace(tzinfo=UTC)
    since, until, duration = middle - timedelta(days=1), middle + timedelta(days=2), timedelta(minutes=10)
    minutes = [since + timedelta(minutes=n) for n in range(-240, 3 * 1440)]
    starts = [at for at in minutes if EVERY[cron](at.astimezone(zone(timezone)))]
    expected = [period for period in _periods(starts, duration) if period[1] > since and period[1] < until]

    found = _listed(Timetable(recurrence(cron, timezone), duration), since, until)
    assert [period for period in found if period[1] < until] == expected
