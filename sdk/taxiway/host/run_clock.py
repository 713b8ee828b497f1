"""Clock of a run: the time that an async agent's own code sees, which survives parks and crashes.

It changes only when the run sees something, so that a replay shows the agent the same times. In every activation a timer fires
at the same position among the things that the run sees.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Final

from taxiway.callers import caller

MOMENT: Final = 1e-6
"""Seconds between two distinct times."""


@dataclass(order=True, slots=True)
class Timer:
    """A timer of the agent's code that calls `call` at `when`, in seconds of the run; it was set at `since`."""

    when: float
    number: int
    since: float = field(compare=False)
    call: Callable[..., object] = field(compare=False)
    args: tuple[Any, ...] = field(compare=False)
    context: Context = field(compare=False)
    handle: asyncio.TimerHandle = field(compare=False)
    place: tuple[CodeType, int] | None = field(compare=False)

    def ring(self) -> None:
        """Call the function, unless the timer was cancelled."""
        if not self.handle.cancelled():
            self.call(*self.args)


class RunClock:
    """The run's time as the agent sees it (`now`), and the real one (`real`)."""

    def __init__(self, began: float) -> None:
        self._zero = time.monotonic() - began
        self.now = 0.0
        self._real = 0.0

    def real(self) -> float:
        """Return the real seconds since the run began, never less than the agent has seen."""
        self._real = max(self._real, self.now, time.monotonic() - self._zero)
        return self._real

    def reach(self, when: float) -> None:
        """Advance the time that the agent sees; it never goes back."""
        self.now = max(self.now, when)

    def skip(self, seconds: float) -> None:
        """Advance the real time by so many seconds without waiting."""
        self._zero -= seconds


class Timers:
    """The timers of the agent's own code, in the order in which they fire."""

    def __init__(self, clock: RunClock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._heap: list[Timer] = []

    def add(
        self,
        loop: asyncio.AbstractEventLoop,
        when: float,
        call: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> asyncio.TimerHandle:
        """Set a timer; one that is overdue fires next, but after everything that the run has seen."""
        when = max(when, self._clock.now + MOMENT)
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, call, args, loop, context)
        number = next(self._numbers)
        heapq.heappush(self._heap, Timer(when, number, self._clock.now, call, args, context, handle, caller()))
        return handle

    def first(self) -> Timer | None:
        """Return the timer that fires next, None if none is pending."""
        while self._heap and self._heap[0].handle.cancelled():
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self) -> list[Timer]:
        """Remove and return the next timers: all that fire at the same time."""
        first = self.first()
        found: list[Timer] = []
        while first is not None and (not found or first.when == found[0].when):
            found.append(heapq.heappop(self._heap))
            first = self.first()
        return found

    def pending(self) -> list[Timer]:
        """Return the pending timers, the next one first."""
        return sorted(timer for timer in self._heap if not timer.handle.cancelled())
