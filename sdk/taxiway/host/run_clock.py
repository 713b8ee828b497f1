"""The time of an async agent's own code: that of its run, which survives parks and crashes.

It stands still between two things that the run sees, and moves with each of them, so that a replay shows the agent the same
times. A timer fires before what the run saw after it and behind what the run saw before it, in every activation.
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
"""Seconds between two moments that can be told apart."""


@dataclass(order=True, slots=True)
class Timer:
    """Something that the agent's code wants called at `when`, in seconds of the run; it was set at `since`."""

    when: float
    number: int
    since: float = field(compare=False)
    call: Callable[..., object] = field(compare=False)
    args: tuple[Any, ...] = field(compare=False)
    context: Context = field(compare=False)
    handle: asyncio.TimerHandle = field(compare=False)
    place: tuple[CodeType, int] | None = field(compare=False)

    def ring(self) -> None:
        """Call it, unless it was cancelled meanwhile."""
        if not self.handle.cancelled():
            self.call(*self.args)


class RunClock:
    """The run's time as the agent sees it (`now`), and as it really is (`real`)."""

    def __init__(self, began: float) -> None:
        self._zero = time.monotonic() - began
        self.now = 0.0
        self._real = 0.0

    def real(self) -> float:
        """Return the seconds that have really passed since the run began; never less than the agent has seen."""
        self._real = max(self._real, self.now, time.monotonic() - self._zero)
        return self._real

    def reach(self, when: float) -> None:
        """Let the agent see that it is so late; its time never goes back."""
        self.now = max(self.now, when)

    def skip(self, seconds: float) -> None:
        """Let so much time have passed in no time."""
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
        """Set a timer; one whose time is over fires next, but behind all that the run has seen."""
        when = max(when, self._clock.now + MOMENT)
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, call, args, loop, context)
        number = next(self._numbers)
        heapq.heappush(self._heap, Timer(when, number, self._clock.now, call, args, context, handle, caller()))
        return handle

    def first(self) -> Timer | None:
        """Return the one that fires next."""
        while self._heap and self._heap[0].handle.cancelled():
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self) -> list[Timer]:
        """Take what fires next: all that fire at that moment."""
        first = self.first()
        found: list[Timer] = []
        while first is not None and (not found or first.when == found[0].when):
            found.append(heapq.heappop(self._heap))
            first = self.first()
        return found

    def pending(self) -> list[Timer]:
        """Return all that may still fire, the next one first."""
        return sorted(timer for timer in self._heap if not timer.handle.cancelled())
