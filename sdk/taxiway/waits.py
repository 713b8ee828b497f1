"""What an agent may wait for, and what came of it.

A wait is recognised in every activation by its kind, its name and its order among equals, as a step is by its arguments.
While it is open the run is parked: the activation ends, and the agent starts over when there is an outcome to give it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from taxiway.decode import decode
from taxiway.durations import Duration, milliseconds, until
from taxiway.errors import InvalidValue, WaitTimeout
from taxiway.identity import checked_name
from taxiway.schema import value_schema
from taxiway.shapes import Shape, shape_of
from taxiway.storable_text import storable

SIGNAL, TIMER, USER = "signal", "timer", "user"
TIMED_OUT: Final = "timeout"
LONGEST: Final = 7 * 24 * 3600.0
"""Seconds after which a wait for somebody gives up, unless its caller says otherwise."""
MOST_AT_ONCE: Final = 5_000
"""What a run waits for at once must fit a frame."""
_MAX_REASON: Final = 500
_OWN: Final = "taxiway."


@dataclass(frozen=True)
class Settled:
    """What is known of a wait that was opened before: its outcome (None while it is open); `answer` is JSON text.

    `resolved_ms` is the moment of the outcome in milliseconds on the database's clock, None where nobody noted it. `title` is
    what people were shown, cut short.
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
    """A wait as its verb describes it. When its time (`due_ms` from its opening) comes, `on_due` is its outcome."""

    kind: str
    name: str
    due_ms: int | None = None
    on_due: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    is_placed: ClassVar[bool] = False
    """Whether its name says which wait of the run it is, wherever in the agent it stands."""

    @property
    def title(self) -> str:
        """What the wait is called in an error."""
        return self.name

    def value(self, settled: Settled) -> Any:
        """Return what the verb hands over; raise WaitTimeout when nobody answered in time, or what else the kind raises."""
        if settled.outcome == TIMED_OUT:
            raise WaitTimeout(self.kind, self.title)
        return self.answered(settled, None if settled.answer is None else json.loads(settled.answer))

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - other kinds look at it
        """Return what the verb hands over of a wait that was answered."""
        return answer


@dataclass(frozen=True)
class SignalWish(Wish):
    """A wait for a signal whose payload has a certain shape."""

    shape: Shape | None = None

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - as above
        """Return the payload in its annotated form; one that came before the agent waited was checked by nobody else."""
        if self.shape is None:
            return answer
        try:
            return decode(self.shape, answer)
        except InvalidValue as error:
            raise InvalidValue(f"signal {self.name!r}: {error.path}", error.problem) from None


@dataclass(frozen=True)
class Wait:
    """A wait that an agent described; it is opened when the agent waits for it, alone or together with others.

    `settled` is what came of it, None while it is open; `place` is its place among all outcomes, in the order of their coming.
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
        """Return what the verb hands over, or raise what it raises."""
        assert self.settled is not None, "asked for before it was over"
        return self.wish.value(self.settled)


def still_open(waits: Sequence[Wait], wake: str) -> list[Wait]:
    """Return what has to be waited for until `all` or `any` of these are over; nothing when that is so already."""
    left = list({wait.key: wait for wait in waits if wait.settled is None}.values())
    if len(left) > MOST_AT_ONCE:
        raise ValueError(f"a run waits for {MOST_AT_ONCE:,} things at once at most, not {len(left):,}")
    return [] if wake == "any" and len(left) < len({wait.key for wait in waits}) else left


def signal(name: str, timeout: Duration | None, schema: Any = None) -> Wish:
    """Describe a wait for a signal; raise TypeError or ValueError when it cannot be one."""
    request: dict[str, Any] = {"signal": checked_name(name)}
    if name.startswith(_OWN):
        raise ValueError(f"signals whose names begin with {_OWN} are Taxiway's own, {name!r} is one")
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
