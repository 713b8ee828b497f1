"""Starts are compared with those of `dateutil`: its recurrence rules, its zones, and its own copy of their rules.

Around the nights in which clocks move every minute is compared; the instants of odd cases were computed by hand.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from dateutil import rrule, tz
from dateutil.zoneinfo import get_zonefile_instance

from models.calendar.recurrence import check_cron, check_timezone, recurrence

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
KATHMANDU, CASABLANCA = "Asia/Kathmandu", "Africa/Casablanca"
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, KATHMANDU, CASABLANCA)
BEGUN, OVER = datetime(2024, 2, 1), datetime(2026, 2, 1)

RULES = {
    "0 0 * * *": rrule.rrule(rrule.DAILY, byhour=0, byminute=0, bysecond=0, dtstart=BEGUN),
    "30 2 * * *": rrule.rrule(rrule.DAILY, byhour=2, byminute=30, bysecond=0, dtstart=BEGUN),
    "0 22 * * 1-5": rrule.rrule(rrule.WEEKLY, byweekday=range(5), byhour=22, byminute=0, bysecond=0, dtstart=BEGUN),
    "15 1,13 * * 0": rrule.rrule(
        rrule.WEEKLY, byweekday=rrule.SU, byhour=(1, 13), byminute=15, bysecond=0, dtstart=BEGUN
    ),
    "0 3 L * *": rrule.rrule(rrule.MONTHLY, bymonthday=-1, byhour=3, byminute=0, bysecond=0, dtstart=BEGUN),
    "45 23 31 * *": rrule.rrule(rrule.MONTHLY, bymonthday=31, byhour=23, byminute=45, bysecond=0, dtstart=BEGUN),
    "0 12 29 2 *": rrule.rrule(
        rrule.YEARLY, bymonth=2, bymonthday=29, byhour=12, byminute=0, bysecond=0, dtstart=BEGUN
    ),
    "0 9 * * MON#1": rrule.rrule(rrule.MONTHLY, byweekday=rrule.MO(1), byhour=9, byminute=0, bysecond=0, dtstart=BEGUN),
}


def zone(name: str) -> tz.tzfile:
    return get_zonefile_instance().get(name)


def instant(wall: datetime, where: tz.tzfile) -> datetime:
    """Return the instant of a local time: the first of two, or the next one that exists."""
    while not tz.datetime_exists(wall, where):
        wall += timedelta(minutes=1)
    return wall.replace(tzinfo=where, fold=0).astimezone(UTC)


def starts(cron: str, timezone: str, since: datetime, until: datetime) -> list[datetime]:
    rule, found = recurrence(cron, timezone), []
    at = rule.after(since)
    while at is not None and at < until:
        found.append(at)
        at = rule.after(at)
    return found


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", RULES)
def test_named_times_recur_for_two_years_as_an_independent_library_says(cron: str, timezone: str) -> None:
    where = zone(timezone)
    expected = sorted({instant(wall, where) for wall in RULES[cron].between(BEGUN, OVER)})
    since, until = instant(BEGUN, where), instant(OVER, where)
    assert starts(cron, timezone, since, until) == [at for at in expected if since < at < until]
    assert expected, "the rule of the other library must find something"


EVERY: dict[str, Callable[[datetime], bool]] = {
    "*/15 * * * *": lambda wall: wall.minute % 15 == 0,
    "10,40 * * * *": lambda wall: wall.minute in (10, 40),
    "0 */2 * * *": lambda wall: wall.minute == 0 and wall.hour % 2 == 0,
    "*/10 1-3 * * *": lambda wall: wall.minute % 10 == 0 and wall.hour in (1, 2, 3),
}
# The local days in which the clock moves: in spring and in autumn; Kathmandu's never moves.
MOVES = {
    BERLIN: ("2026-03-29", "2026-10-25"),
    NEW_YORK: ("2026-03-08", "2026-11-01"),
    LORD_HOWE: ("2026-10-04", "2026-04-05"),
    CASABLANCA: ("2026-03-22", "2026-02-15"),
    KATHMANDU: ("2026-03-29", "2026-10-25"),
}


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", EVERY)
@pytest.mark.parametrize("season", ["forward", "back"])
def test_what_follows_elapsed_time_recurs_at_every_minute_whose_clock_fits(
    cron: str, timezone: str, season: str
) -> None:
    day = MOVES[timezone][season == "back"]
    since = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(days=1)
    minutes = [since + timedelta(minutes=n) for n in range(1, 3 * 1440)]
    expected = [at for at in minutes if EVERY[cron](at.astimezone(zone(timezone)))]
    assert starts(cron, timezone, since, since + timedelta(days=3)) == expected


@pytest.mark.parametrize("timezone", [BERLIN, NEW_YORK, LORD_HOWE, CASABLANCA])
def test_the_clock_of_these_days_moves_indeed(timezone: str) -> None:
    for day in MOVES[timezone]:
        noon = datetime.fromisoformat(f"{day}T12:00:00")
        offsets = [(noon - timedelta(days=n)).replace(tzinfo=zone(timezone)).utcoffset() for n in (0, 1)]
        assert offsets[0] != offsets[1]


@pytest.mark.parametrize(
    ("cron", "timezone", "since", "expected"),
    [
        # 29 March 2026: Berlin's clock goes from 02:00 (+01) to 03:00 (+02) at 01:00 UTC.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("0,30 2 * * *", BERLIN, "2026-03-29T00:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]),
        ("0 3 * * *", BERLIN, "2026-03-29T00:00Z", ["2026-03-29T01:00Z", "2026-03-30T01:00Z"]),
        ("59 1 * * *", BERLIN, "2026-03-29T00:00Z", ["2026-03-29T00:59Z", "2026-03-29T23:59Z"]),
        # 25 October 2026: from 03:00 (+02) back to 02:00 (+01) at 01:00 UTC.
        ("30 2 * * *", BERLIN, "2026-10-25T00:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:15Z", ["2026-10-26T01:30Z"]),  # requested within the second 02:15
        ("0 3 * * *", BERLIN, "2026-10-25T00:45Z", ["2026-10-25T02:00Z", "2026-10-26T02:00Z"]),
        ("30 * * * *", BERLIN, "2026-10-24T23:45Z", ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z"]),
        # 8 March and 1 November 2026: New York at 07:00 and at 06:00 UTC.
        ("30 2 * * *", NEW_YORK, "2026-03-08T00:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T00:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]),
        # Lord Howe moves by half an hour: 4 October 2026 from 02:00 (+10:30) to 02:30 (+11) at 15:30 UTC the day before.
        ("15 2 * * *", LORD_HOWE, "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
        ("*/10 3-5 * * *", LORD_HOWE, "2026-10-03T12:00Z", ["2026-10-03T16:00Z", "2026-10-03T16:10Z"]),
        # 5 April 2026: from 02:00 (+11) back to 01:30 (+10:30) at 15:00 UTC the day before.
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
        # Casablanca keeps +01 but during Ramadan: 15 February 2026 from 03:00 back to 02:00 at 02:00 UTC, and on 22 March on.
        ("30 2 * * *", CASABLANCA, "2026-02-15T00:00Z", ["2026-02-15T01:30Z", "2026-02-16T02:30Z"]),
        ("30 2 * * *", CASABLANCA, "2026-03-21T12:00Z", ["2026-03-22T02:00Z", "2026-03-23T01:30Z"]),
        # Kathmandu stands at +05:45; midnight there is 18:15 UTC.
        ("0 0 1 1 *", KATHMANDU, "2026-06-01T00:00Z", ["2026-12-31T18:15Z", "2027-12-31T18:15Z"]),
        ("0 0 29 2 *", BERLIN, "2026-01-01T00:00Z", ["2028-02-28T23:00Z", "2032-02-28T23:00Z"]),
        ("0 0 31 4,5 *", "UTC", "2026-01-01T00:00Z", ["2026-05-31T00:00Z", "2027-05-31T00:00Z"]),
        # A start is after the requested instant, to the microsecond.
        ("0 * * * *", "UTC", "2026-01-01T00:00:00.000001Z", ["2026-01-01T01:00Z"]),
        ("0 * * * *", "UTC", "2025-12-31T23:59:59.999999Z", ["2026-01-01T00:00Z", "2026-01-01T01:00Z"]),
    ],
)
def test_the_starts_of_odd_nights(cron: str, timezone: str, since: str, expected: list[str]) -> None:
    at, found = datetime.fromisoformat(since), []
    for _ in expected:
        following = recurrence(cron, timezone).after(at)
        assert following is not None
        found.append(following)
        at = following
    assert found == [datetime.fromisoformat(moment) for moment in expected]


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 22 * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("", "five fields"),
        ("61 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 * * MONDAY", "bad day-of-week"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("*/0 * * * *", "bad minute"),
    ],
)
def test_a_cron_expression_that_is_none_is_refused_with_its_reason(cron: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_cron(cron)


@pytest.mark.parametrize("name", ["Europe", "CET+1", "/etc/passwd", "../UTC", "", "right/Europe/Berlin"])
def test_a_zone_that_the_database_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be an IANA time zone"):
        check_timezone(name)


def test_a_zone_that_is_misspelled_is_suggested() -> None:
    with pytest.raises(ValueError, match="did you mean Europe/Berlin"):
        check_timezone("europe/berln")
