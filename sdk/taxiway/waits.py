"""What an agent may wait for, and what came of it.

A wait is recognised in every activation by its kind, its name and its order among equals, as a step is by its arguments.
While it is open the run is parked: the activation ends, and the agent starts over when there is an outcome to give it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from taxiway.durations import Duration, milliseconds, seconds
from taxiway.errors import WaitTimeout
from taxiway.identity import checked_name
from taxiway.report import storable

SIGNAL, TIMER, USER = "signal", "timer", "user"
LONGEST: Final = 7 * 24 * 3600.0
"""Seconds after which a wait for somebody gives up, unless its caller says otherwise."""
_MAX_REASON: Final = 500


@dataclass(frozen=True)
class Wish:
    """A wait as its verb describes it. When its time (`due_ms` from its opening) comes, `on_due` is its outcome."""

    kind: str
    name: str
    due_ms: int | None = None
    on_due: str | None = None
    request: dict[str, Any] = field(default_factory=dict)

    def as_frame(self, key: str) -> dict[str, Any]:
        """Return the wait as a `park` frame carries it."""
        request = json.dumps(self.request, ensure_ascii=False)
        return {"key": key, "kind": self.kind, "dueMs": self.due_ms, "onDue": self.on_due, "request": request}


@dataclass(frozen=True)
class Settled:
    """The outcome of a wait that is over; `answer` is JSON text."""

    key: str
    outcome: str
    answer: str | None

    @classmethod
    def from_frame(cls, item: dict[str, Any]) -> Settled:
        """Read one wait of a `recorded` frame."""
        return cls(item["key"], item["outcome"], item.get("answer"))


def signal(name: str, timeout: Duration | None) -> Wish:
    """Describe a wait for a signal; raise TypeError or ValueError when it cannot be one."""
    return Wish(SIGNAL, checked_name(name), _due(timeout), "timeout", {"signal": name})


def timer(duration: Duration) -> Wish:
    """Describe a sleep."""
    return Wish(TIMER, "sleep", milliseconds(seconds(duration)), "elapsed")


def user(reason: str, timeout: Duration | None) -> Wish:
    """Describe a pause that a person ends."""
    if not isinstance(reason, str):
        raise TypeError("a pause's reason is a text for people")
    return Wish(USER, "pause", _due(timeout), "timeout", {"reason": storable(reason, _MAX_REASON)})


def value_of(wish: Wish, settled: Settled) -> Any:
    """Return what the verb hands over; raise WaitTimeout when nobody answered in time."""
    if settled.outcome == "timeout":
        raise WaitTimeout(wish.kind, wish.name)
    return json.loads(settled.answer) if settled.answer is not None else None


def _due(timeout: Duration | None) -> int | None:
    return milliseconds(LONGEST if timeout is None else timeout)
