"""Recurrence: a cron expression read in a time zone, as instants.

The wall clock of a zone skips an hour in spring and shows one twice in autumn. Such times are treated as cron users know
it from Debian:

- An expression that names its times (`30 2 * * *`) recurs once for each: a time that the clock skips comes at the moment
  at which the clock continues, and one that it shows twice comes the first time.
- An expression whose minutes or hours begin with `*` (`*/15 * * * *`) follows time as it elapses: what is skipped does
  not come, and what is shown twice comes twice.

`cronsim` reads the expression and steps over plain calendar time; this module alone turns wall clocks into instants,
because stepping through a zone by hours loses starts where a clock moves by half an hour (Lord Howe).
"""

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_SECOND = timedelta(seconds=1)
_PROBE = timedelta(days=7)  # no zone moves its clock twice within a week
_SOME_DAY = datetime(2024, 1, 1)  # noqa: DTZ001  a wall clock has no zone
_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A valid cron expression and IANA time zone; made by `recurrence`."""

    cron: str
    timezone: str

    def after(self, at: datetime) -> datetime | None:
        """Return the first start after this instant, in UTC; None if none comes within fifty years."""
        edge = at.astimezone(UTC)
        offset = self._offset(edge)
        wall = self._wall_after(_wall(edge, offset))
        while wall is not None:
            found = wall.replace(tzinfo=UTC) - offset
            turn = self._turn(edge, found)
            if turn is None:
                if not (self._names_times and found.astimezone(ZoneInfo(self.timezone)).fold):
                    return found
                wall = self._wall_after(wall)  # shown for the second time
                continue
            edge, offset = turn, self._offset(turn)
            goes_on = _wall(turn, offset)
            if not self._names_times:
                wall = self._wall_after(goes_on - _SECOND)
            elif wall < goes_on:
                return turn  # the clock skips it
        return None

    def last(self, since: datetime, until: datetime) -> datetime | None:
        """Return the last start after `since` that is not after `until`; None if none lies between them."""
        back = timedelta(minutes=1)
        while True:
            begin = max(since, until - back)
            found = self.after(begin)
            if found is not None and found <= until:
                while (following := self.after(found)) is not None and following <= until:
                    found = following
                return found
            if begin == since:
                return None
            back *= 4

    @property
    def _names_times(self) -> bool:
        minutes, hours = self.cron.split()[-_FIELDS:][:2]
        return not (minutes.startswith("*") or hours.startswith("*"))

    def _wall_after(self, wall: datetime) -> datetime | None:
        return next(CronSim(self.cron, wall), None)

    def _offset(self, at: datetime) -> timedelta:
        offset = at.astimezone(ZoneInfo(self.timezone)).utcoffset()
        assert offset is not None
        return offset

    def _turn(self, since: datetime, until: datetime) -> datetime | None:
        """Return the first moment after `since`, at most `until`, from which the zone's clock has another offset."""
        begun = self._offset(since)
        while since < until:
            probe = min(since + _PROBE, until)
            if self._offset(probe) != begun:
                return self._bisected(since.replace(microsecond=0), probe)
            since = probe
        return None

    def _bisected(self, before: datetime, turned: datetime) -> datetime:
        begun = self._offset(before)
        while turned - before > _SECOND:
            middle = before + timedelta(seconds=int((turned - before).total_seconds()) // 2)
            before, turned = (middle, turned) if self._offset(middle) == begun else (before, middle)
        return turned


def recurrence(cron: str, timezone: str) -> Recurrence:
    """Return a recurrence; raises ValueError with a phrase that continues after the field's name.

    To find out which of the two fields is wrong, check them apart with `check_cron` and `check_timezone`.
    """
    check_cron(cron)
    check_timezone(timezone)
    return Recurrence(" ".join(cron.split()), timezone)


def check_cron(cron: str) -> None:
    """Raise ValueError unless this is a cron expression of five fields that recurs at all."""
    if len(cron.split()) != _FIELDS:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    try:
        first = next(CronSim(cron, _SOME_DAY), None)
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if first is None:
        raise ValueError("names a day that never comes")


def check_timezone(name: str) -> None:
    """Raise ValueError unless this is a time zone of the IANA database."""
    known = _timezones()
    if name not in known:
        folded = {zone.casefold(): zone for zone in known}
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        hint = f"did you mean {folded[near[0]]}?" if near else "use a name such as Europe/Berlin"
        raise ValueError(f"must be an IANA time zone; {hint}")


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _wall(at: datetime, offset: timedelta) -> datetime:
    return (at + offset).replace(tzinfo=None)
