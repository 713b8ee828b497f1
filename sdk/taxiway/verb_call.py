"""Awaitable of an async agent's verb; one that is never awaited or given to a task is the author's mistake.

It does nothing before it is awaited, so a missing `await` would silently skip an approval. Therefore the activation records
each call that is made and each that is dropped. If the statement that made a call also drops it, the agent's code stops
there, before an unapproved action.
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

    `dropped` is called when a call can no longer be awaited. It returns the error to raise, None if the agent already ends.
    """

    def __init__(self, dropped: Callable[[str], BaseException | None]) -> None:
        self._dropped = dropped
        self._made: dict[int, tuple[str, Place]] = {}
        self.stopped = False
        """Whether agent code was stopped in a frame, which may hold things that it would have released."""

    def made(self, call: object, verb: str) -> None:
        """Add a call."""
        self._made[id(call)] = (verb, caller())

    def awaited(self, call: object) -> None:
        """Remove a call that is awaited, or was given to a task that was cancelled before it began."""
        self._made.pop(id(call), None)

    def gone(self, call: object, where: FrameType | None) -> None:
        """Remove a call that is deleted; `where` is the last frame that held it."""
        left = self._made.pop(id(call), None)
        if left is None or (error := self._dropped(_sentence(*left))) is None:
            return
        _, place = left
        if where is not None and place is not None and where.f_code.co_filename == place[0].co_filename:
            self.stopped = True
            raise_in_frame(where, error)

    def misused(self, call: object) -> NoReturn:
        """Stop the agent, which uses a call as if it were the value."""
        raise self._dropped(self.sentence(call)) or RuntimeError(self.sentence(call))

    def sentence(self, call: object) -> str:
        """Return the message for a wrong use of a call."""
        left = self._made.get(id(call))
        return "a call has no attributes, what it returns has" if left is None else _sentence(*left)

    def first(self) -> str | None:
        """Return the message for the first call that was not awaited so far, None if all were."""
        return next((_sentence(*left) for left in self._made.values()), None)


class VerbCall(Coroutine[Any, Any, T]):
    """A call of a verb; the first await calls `make` for the coroutine that carries it out."""

    def __init__(self, verb: str, make: Callable[[], Coroutine[Any, Any, T]], unawaited: Unawaited) -> None:
        self._verb, self._make, self._unawaited = verb, make, unawaited
        self._inner: Coroutine[Any, Any, T] | None = None
        unawaited.made(self, verb)

    def __await__(self) -> Generator[Any, Any, T]:
        if self._inner is not None:
            raise RuntimeError(f"run.{self._verb}(…) is awaited already; keep its value, or give it to one task")
        return self._begun().__await__()

    def send(self, value: Any) -> Any:
        """Resume the coroutine, as a task does."""
        return self._begun().send(value)

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise an exception in the coroutine, as a task does."""
        del value, trace  # the old form of the arguments, which tasks do not use
        return self._begun().throw(kind if isinstance(kind, BaseException) else kind())

    def close(self) -> None:
        """Close the coroutine."""
        self._begun().close()

    def __bool__(self) -> bool:
        if self._inner is None:
            self._unawaited.misused(self)
        return True

    def __getattr__(self, name: str) -> NoReturn:
        # The run does not end here: asyncio itself looks for attributes of coroutines.
        raise AttributeError(f"no attribute {name!r}: {self._unawaited.sentence(self)}")

    def __del__(self) -> None:
        self._unawaited.gone(self, sys._getframe().f_back)  # noqa: SLF001 - the documented way to look at the stack

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._inner is None:
            self._unawaited.awaited(self)
            self._inner = self._make()
        return self._inner


def _sentence(verb: str, place: Place) -> str:
    return f"run.{verb}(…) at {place_of(place)} was never awaited: write `await run.{verb}(…)`"
