"""Firing times of schedules: the time to fire for now, and the next one. A rule over values, without I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from models.calendar.recurrence import Recurrence

# A later firing was missed: no scheduler was there to make it. A scheduler that takes over within this time makes every firing.
LATE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """Fire for the time `at` (None: for none), and again at `following` (None: never)."""

    at: datetime | None
    following: datetime | None


def due(rule: Recurrence, wanted: datetime, now: datetime, catch_up: Literal["none", "last"]) -> Due:
    """Return what to do for a schedule that was due at `wanted`, which is not after `now`.

    Within a minute every firing is made, one after the other. Of the missed firings none is made, or with `last` the last one.
    """
    if now - wanted <= LATE:
        return Due(wanted, rule.after(wanted))
    if catch_up == "last":
        at = rule.last(wanted - _TICK, now) or wanted
        return Due(at, rule.after(at))
    young = rule.after(now - LATE - _TICK)
    if young is None or young > now:
        return Due(None, young)
    return Due(young, rule.after(young))
