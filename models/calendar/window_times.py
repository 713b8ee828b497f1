"""Periods in which a window is open: a rule over values, without I/O.

A period begins at each start of the recurrence and lasts its duration of elapsed time, whatever the wall clock does:
`0 1 * * *` for two hours is open for two hours also in the night in which the clock moves. Periods that touch or overlap
are one. A start belongs to its period, an end does not.

A window is open within its periods, a blackout outside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from models.calendar.recurrence import Recurrence

LONGEST = timedelta(days=7)
_MOST_MERGED = 1_500  # starts that are followed to find out where a period ends: every minute of a day, and some more
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` until before `ends`; None: further away than was looked."""

    begins: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether runs may go now, and until when that holds; None: for ever, or for longer than was looked."""

    open: bool
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Timetable:
    """The periods of a window or, with `blackout`, those in which it is closed."""

    recurrence: Recurrence
    duration: timedelta
    blackout: bool = False

    def standing(self, at: datetime) -> Standing:
        """Return whether the window is open at an instant, and until when."""
        start = self.recurrence.after(at - self.duration)
        within = start is not None and start <= at
        until = self._end(start) if start is not None and within else start
        return Standing(within != self.blackout, until)

    def periods(self, at: datetime) -> Iterator[Period]:
        """Yield the period around an instant, if it lies in one, and all later ones."""
        start = self.recurrence.after(at - self.duration)
        if start is not None and start <= at:
            start = self._begin(start)
        while start is not None:
            ends = self._end(start)
            yield Period(start, ends)
            start = None if ends is None else self.recurrence.after(ends)

    def next_periods(self, at: datetime, count: int) -> list[Period]:
        """Return the first `count` of `periods`."""
        return list(islice(self.periods(at), count))

    def _end(self, start: datetime) -> datetime | None:
        for _ in range(_MOST_MERGED):
            following = self.recurrence.after(start)
            if following is None or following > start + self.duration:
                return start + self.duration
            start = following
        return None

    def _begin(self, start: datetime) -> datetime:
        for _ in range(_MOST_MERGED):
            earlier = self.recurrence.after(start - self.duration - _SECOND)
            if earlier is None or earlier >= start:
                break
            start = earlier
        return start
