"""Waits of an agent, and their outcomes.

A wait is identified in every activation by its kind, its name and its number among equal ones, as a step is by its arguments.
While it is open the run is parked: the activation ends, and the agent starts over once there is an outcome.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from taxiway.annotation_shapes import shape_of
from taxiway.decode import decode
from taxiway.durations import Duration, milliseconds, until
from taxiway.errors import InvalidValue, WaitTimeout
from taxiway.identity import checked_name
from taxiway.schema import value_schema
from taxiway.shapes import Shape
from taxiway.storable_text import storable

SIGNAL, TIMER, USER = "signal", "timer", "user"
TIMED_OUT: Final = "timeout"
LONGEST: Final = 7 * 24 * 3600.0
"""Seconds after which a wait for a person times out by default."""
MOST_AT_ONCE: Final = 5_000
"""Most open waits of a run: they must fit one frame."""
_MAX_REASON: Final = 500
_OWN: Final = "taxiway."


@dataclass(frozen=True)
class Settled:
    """The record of a wait that was opened before: its outcome (None while it is open); `answer` is JSON text.

    `resolved_ms` is the time of the outcome in milliseconds on the database's clock, None in older records. `title` is the
    beginning of what people were shown.
    """

    key: str
    outcome: str | None
    answer: str | None = None
    by: str | None = None
    comment: str | None = None
    at: str | None = None
    resolved_ms: float | None = None
    title: str | None = None

    @classmethod
    def from_frame(cls, item: dict[str, Any]) -> Settled:
        """Read one wait of a `recorded` frame."""
        about = (item.get(name) for name in ("answer", "by", "comment", "at", "resolvedMs", "title"))
        return cls(item["key"], item["outcome"], *about)


@dataclass(frozen=True)
class Wish:
    """A wait as its verb describes it. At its time, `due_ms` after its opening, `on_due` becomes its outcome."""

    kind: str
    name: str
    due_ms: int | None = None
    on_due: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    is_placed: ClassVar[bool] = False
    """Whether its name alone identifies the wait, whatever its place in the agent."""

    @property
    def title(self) -> str:
        """The name of the wait in an error."""
        return self.name

    def value(self, settled: Settled) -> Any:
        """Return the value of the verb; raise WaitTimeout if no answer came in time, or the errors of its kind."""
        if settled.outcome == TIMED_OUT:
            raise WaitTimeout(self.kind, self.title)
        return self.answered(settled, None if settled.answer is None else json.loads(settled.answer))

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - other kinds read it
        """Return the value of the verb for an answered wait."""
        return answer


@dataclass(frozen=True)
class SignalWish(Wish):
    """A wait for a signal whose payload has a certain shape."""

    shape: Shape | None = None

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - as above
        """Return the payload as a value of its annotated type. The server could not check one that came before the wait."""
        if self.shape is None:
            return answer
        try:
            return decode(self.shape, answer)
        except InvalidValue as error:
            raise InvalidValue(f"signal {self.name!r}: {error.path}", error.problem) from None


@dataclass(frozen=True)
class Wait:
    """A wait that an agent described. It is opened when the agent waits for it, alone or together with others.

    `settled` is its outcome, None while it is open; `place` is the position of that outcome among all, in order of arrival.
    """

    key: str
    wish: Wish
    settled: Settled | None = None
    place: int = 0

    def as_frame(self) -> dict[str, Any]:
        """Return the wait as a `park` frame carries it."""
        wish = self.wish
        request = json.dumps(wish.request, ensure_ascii=False)
        return {"key": self.key, "kind": wish.kind, "dueMs": wish.due_ms, "onDue": wish.on_due, "request": request}

    def value(self) -> Any:
        """Return the value of the verb, or raise its error."""
        assert self.settled is not None, "its value was read while it was open"
        return self.wish.value(self.settled)


def still_open(waits: Sequence[Wait], wake: str) -> list[Wait]:
    """Return the waits that are open until `all` or `any` of these are resolved; none if that is so already."""
    left = list({wait.key: wait for wait in waits if wait.settled is None}.values())
    if len(left) > MOST_AT_ONCE:
        raise ValueError(f"a run has {MOST_AT_ONCE:,} open waits at most, not {len(left):,}")
    return [] if wake == "any" and len(left) < len({wait.key for wait in waits}) else left


def signal(name: str, timeout: Duration | None, schema: Any = None) -> Wish:
    """Describe a wait for a signal; raise TypeError or ValueError for an invalid one."""
    request: dict[str, Any] = {"signal": checked_name(name)}
    if name.startswith(_OWN):
        raise ValueError(f"signal names that begin with {_OWN} are Taxiway's own, such as {name!r}")
    if schema is None:
        return SignalWish(SIGNAL, name, until(timeout), TIMED_OUT, request)
    shape = shape_of(schema)
    return SignalWish(SIGNAL, name, until(timeout), TIMED_OUT, {**request, "schema": value_schema(shape)}, shape)


def timer(duration: Duration, name: str = "sleep") -> Wish:
    """Describe a sleep."""
    return Wish(TIMER, name, milliseconds(duration), "elapsed")


def user(reason: str, timeout: Duration | None) -> Wish:
    """Describe a pause that a person ends."""
    if not isinstance(reason, str):
        raise TypeError("a pause's reason is a text for people")
    return Wish(USER, "pause", until(timeout), TIMED_OUT, {"reason": storable(reason, _MAX_REASON)})
