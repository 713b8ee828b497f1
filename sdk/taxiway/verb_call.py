"""What a verb of an async agent returns: to be awaited, or given to a task; one that is neither is an author's mistake.

It begins nothing before it is awaited. A missing `await` would skip an approval without a word; so the activation is told of each
that was made, and of each that was dropped. Where the statement that made it drops it, the code stops there, before it does
what nobody approved.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from types import CodeType, FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from taxiway.callers import caller, place_of
from taxiway.raise_in_frame import raise_in_frame

T = TypeVar("T")

Place = tuple[CodeType, int] | None


class Unawaited:
    """The calls of verbs that were made and not awaited yet.

    `dropped` is told when one never can be, and returns what is to be raised for it; None when the agent's code ends already.
    """

    def __init__(self, dropped: Callable[[str], BaseException | None]) -> None:
        self._dropped = dropped
        self._made: dict[int, tuple[str, Place]] = {}
        self.stopped = False
        """Whether agent code was stopped where it stood, which may hold what it would have let go."""

    def made(self, call: object, verb: str) -> None:
        """Note a call."""
        self._made[id(call)] = (verb, caller())

    def awaited(self, call: object) -> None:
        """Note that a call is awaited, or was given to a task that was cancelled before it began."""
        self._made.pop(id(call), None)

    def gone(self, call: object, where: FrameType | None) -> None:
        """Note that a call is no more; `where` is the frame that had it last."""
        left = self._made.pop(id(call), None)
        if left is None or (error := self._dropped(_sentence(*left))) is None:
            return
        _, place = left
        if where is not None and place is not None and where.f_code.co_filename == place[0].co_filename:
            self.stopped = True
            raise_in_frame(where, error)

    def misused(self, call: object) -> NoReturn:
        """Stop the agent, which takes a call for what it would return."""
        raise self._dropped(self.sentence(call)) or RuntimeError(self.sentence(call))

    def sentence(self, call: object) -> str:
        """Return what is wrong with the use of a call."""
        left = self._made.get(id(call))
        return "a call has no attributes, what it returns has" if left is None else _sentence(*left)

    def first(self) -> str | None:
        """Return what is wrong with the first call that was not awaited so far, None when there is none."""
        return next((_sentence(*left) for left in self._made.values()), None)


class VerbCall(Coroutine[Any, Any, T]):
    """A call of a verb; `make` makes the coroutine that carries it out, when it is awaited."""

    def __init__(self, verb: str, make: Callable[[], Coroutine[Any, Any, T]], unawaited: Unawaited) -> None:
        self._verb, self._make, self._unawaited = verb, make, unawaited
        self._inner: Coroutine[Any, Any, T] | None = None
        unawaited.made(self, verb)

    def __await__(self) -> Generator[Any, Any, T]:
        if self._inner is not None:
            raise RuntimeError(f"run.{self._verb}(…) is awaited already; keep its value, or give it to one task")
        return self._begun().__await__()

    def send(self, value: Any) -> Any:
        """Carry it on, as a task does."""
        return self._begun().send(value)

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise an exception in it, as a task does."""
        del value, trace  # the old ways to name an exception, which tasks do not use
        return self._begun().throw(kind if isinstance(kind, BaseException) else kind())

    def close(self) -> None:
        """End it."""
        self._begun().close()

    def __bool__(self) -> bool:
        if self._inner is None:
            self._unawaited.misused(self)
        return True

    def __getattr__(self, name: str) -> NoReturn:
        # No end of the run yet: asyncio itself looks for attributes of coroutines.
        raise AttributeError(f"{name!r} is not there: {self._unawaited.sentence(self)}")

    def __del__(self) -> None:
        self._unawaited.gone(self, sys._getframe().f_back)  # noqa: SLF001 - the documented way to look at the stack

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._inner is None:
            self._unawaited.awaited(self)
            self._inner = self._make()
        return self._inner


def _sentence(verb: str, place: Place) -> str:
    return f"run.{verb}(…) at {place_of(place)} was never awaited: write `await run.{verb}(…)`"
