"""State of a window at an instant: whether runs may go, its override included, and until when that holds. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from models.calendar.recurrence import recurrence
from models.calendar.window_times import Standing, Timetable


class Rules(Protocol):
    """What is known of a window: a row of `window`, or what was read of one."""

    @property
    def name(self) -> str: ...
    @property
    def cron(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def duration_ms(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def override(self) -> str | None: ...
    @property
    def override_until(self) -> datetime | None: ...


def timetable(window: Rules) -> Timetable:
    """Return the window's timetable; raises ValueError if its zone is not known on this machine."""
    return Timetable(
        recurrence(window.cron, window.timezone),
        timedelta(milliseconds=window.duration_ms),
        blackout=window.kind == "blackout",
    )


def standing(window: Rules, at: datetime) -> Standing:
    """Return whether the window lets runs go: by its override while that lasts, else by its timetable."""
    table = timetable(window)
    if window.override is None or window.override_until is None or window.override_until <= at:
        return table.standing(at)
    is_open = window.override == "open"
    then = table.standing(window.override_until)
    return Standing(is_open, then.until if then.open == is_open else window.override_until)


@dataclass(frozen=True, slots=True)
class Kept:
    """The computed state of a window, valid until its time is over or the window is changed."""

    definition: tuple[object, ...]
    standing: Standing
    look_again: datetime


class Standings:
    """Cache of window states, computed again only if they may have changed: distant starts cost milliseconds to follow."""

    _PATIENCE = timedelta(minutes=1)

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def of(self, window: Rules, at: datetime) -> Standing:
        """Return the state of a window; raises ValueError as `timetable` does."""
        definition = (
            window.cron, window.timezone, window.duration_ms, window.kind, window.override, window.override_until,
        )  # fmt: skip
        kept = self._kept.get(window.name)
        if kept is None or kept.definition != definition or at >= kept.look_again:
            found = standing(window, at)
            kept = Kept(definition, found, found.until or at + self._PATIENCE)
            self._kept[window.name] = kept
        return kept.standing
