"""Choice of the records that a retry keeps: a rule over values, without I/O.

A retry continues from the last good thing that was recorded. What went wrong before that was caught by the agent, and belongs to
the history; what went wrong after it is to be tried again. Whatever began after a record that is not kept is not kept either:
code that replays its history must find it whole, up to where it ends.

A step that started children went wrong if these did not all succeed, unless the agent learned of that and continued. A child
that still executes speaks to the old run, so its record is never kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

GOOD_WAITS = frozenset({"approved", "answered", "authorized", "received", "elapsed", "resumed"})
BAD_WAITS = frozenset({"denied", "expired", "timeout", "failed"})
_BY_A_WAIT = frozenset({"ApprovalDenied", "WaitTimeout", "AuthorizationFailed"})
_SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class Record:
    """A finished step, or a wait that is over; `good` when nothing went wrong with it. `child` is the child waited for."""

    key: str
    name: str
    began: datetime
    ended: datetime
    good: bool
    is_step: bool = True
    child: str | None = None
    given_up: bool = False
    """Whether the agent itself gave the step up: that is neither good nor bad."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that was begun and is not finished; of a `once` step (`intended`) nobody knows what it did."""

    key: str
    name: str
    began: datetime
    intended: bool


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of a run that has ended. `children` are the statuses of those that it started, by step and key."""

    records: Sequence[Record]
    begun: Sequence[Begun] = ()
    children: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept; `unknown` names steps of which nobody knows what they did, and which would be executed again."""

    records: Sequence[Record]
    unknown: Sequence[str] = ()


def kept(history: History) -> Kept:
    """Keep everything up to the last good thing."""
    fatal, went_on = _fatal(history), max((one.began for one in history.records if one.good), default=None)
    walls = set(_lost(history, history.records, went_on)) | ({fatal} if fatal else set())
    left = _before(history.records, walls)
    last = max((one.ended for one in left if one.good), default=None)
    unknown = [one.name for one in history.begun if one.intended and all(one.began < wall.ended for wall in walls)]
    return Kept([one for one in left if one.good or (last is not None and _came_before(one, last))], unknown)


def kept_before(history: History, step: Record | Begun) -> Kept:
    """Keep what was recorded before a step."""
    earlier = [
        one for one in history.records if one is not step and one.began < step.began and _ended_before(one, step)
    ]
    walls = set(_lost(history, earlier, step.began))
    unknown = [one.name for one in history.begun if one.intended and one is not step and one.began < step.began]
    return Kept(_before(earlier, walls), unknown)


def named(history: History, name: str) -> Record | Begun | None:
    """Find a step by its key, or the first of its name."""
    steps: list[Record | Begun] = [*(one for one in history.records if one.is_step), *history.begun]
    steps.sort(key=lambda step: step.began)
    return next((one for one in steps if one.key == name), None) or next(
        (one for one in steps if one.name == name), None
    )


def names(history: History) -> list[str]:
    """List the names of the steps, in the order of their beginnings."""
    steps: list[Record | Begun] = [*(one for one in history.records if one.is_step), *history.begun]
    return list(dict.fromkeys(one.name for one in sorted(steps, key=lambda step: step.began)))


def _before(records: Iterable[Record], walls: AbstractSet[Record]) -> list[Record]:
    """Leave out the walls, and what began after the first of them ended: others may have run beside it."""
    cut = min((wall.ended for wall in walls), default=None)
    return [one for one in records if one not in walls and (cut is None or one.began < cut)]


def _came_before(one: Record, last: datetime) -> bool:
    """Whether what is not good itself came before the last good thing; a step is given up with what made its agent do so."""
    return one.ended < last or (one.given_up and one.ended == last)


def _ended_before(one: Record, step: Record | Begun) -> bool:
    """A wait that was open when the step began stays known; a step that ended after this one does not."""
    return not one.is_step or not isinstance(step, Record) or one.ended < step.ended


def _fatal(history: History) -> Record | None:
    """Find what the run failed of, where its error says so: it may have been caught, and raised again after more was done."""
    error = history.error or {}
    bad = [one for one in history.records if not one.good and not one.given_up]
    if error.get("step"):
        return next((one for one in reversed(bad) if one.is_step and one.name == error["step"]), None)
    if error.get("type") in _BY_A_WAIT:
        return next((one for one in reversed(bad) if not one.is_step and one.child is None), None)
    return None


def _lost(history: History, records: Iterable[Record], went_on: datetime | None) -> list[Record]:
    """Return steps that started children which failed, unless the agent heard of all failures and then continued."""
    heard = {one.child: one.ended for one in history.records if one.child is not None}
    return [one for one in records if one.is_step and _is_lost(history.children.get(one.key, {}), heard, went_on)]


def _is_lost(children: Mapping[str, str], heard: Mapping[str, datetime], went_on: datetime | None) -> bool:
    failed = [key for key, status in children.items() if status != _SUCCESS]
    if any(key not in heard for key in failed):
        return True
    return any(went_on is None or went_on < heard[key] for key in failed)
