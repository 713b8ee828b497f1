"""Interrupts of agent code: other threads raise an exception in the main thread, only while agent code runs there.

A signal is sent to the main thread, so that a sleep or a system call ends too. Python runs the handler between two
instructions of that thread. The handler raises only while the gate is open, which is exactly while agent code runs: no frame
is left half written, and no lock is left held. A handler that raises just before the gate closes leaves it open for a
moment; therefore the lock of the channel closes the gate itself.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Final, Self

from taxiway.errors import Canceled
from taxiway.host.alarms import Alarm, AlarmThread

AGAIN_AFTER: Final = 1.0
"""Seconds between two interrupts of code that swallows them."""


class StepTimeout(BaseException):
    """Interrupts a step whose time is up."""


class Limit:
    """The time limit of one attempt of a step; a context that ends it."""

    def __init__(self, seconds: float | None, arm: Callable[[Limit, float], None]) -> None:
        self._seconds, self._arm = seconds, arm
        self.expired = False
        self.over = False
        self.alarm: Alarm | None = None

    def __enter__(self) -> Self:
        self._token = _limit.set(self)
        if self._seconds is not None:
            self._arm(self, self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over = True
        _limit.reset(self._token)
        if self.alarm is not None:
            self.alarm.cancel()


_limit: Final[ContextVar[Limit | None]] = ContextVar("taxiway_limit", default=None)


class Interrupts:
    """The gate between the main thread and the threads that may interrupt it."""

    def __init__(self, watch: AlarmThread) -> None:
        self.lock = _GatedLock(self)
        self._watch = watch
        self._open = False
        self._canceled = False
        self._spared = 0

    def install(self) -> None:
        """Install the signal handler, again if an agent has set another one."""
        if signal.getsignal(signal.SIGUSR1) != self._deliver:
            signal.signal(signal.SIGUSR1, self._deliver)

    def enter(self) -> None:
        """Open the gate before agent code; raise Canceled if a cancel arrived before."""
        self._open = True
        if self._canceled and not self._spared:
            raise Canceled("the run was canceled")

    def leave(self) -> None:
        """Close the gate after agent code."""
        self._open = False

    def cancel(self) -> None:
        """Raise Canceled in agent code, now or when it runs next. Called by other threads."""
        self._canceled = True
        self._press()

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Keep cancels from interrupting the code within: it undoes effects of the run, and the worker limits its time."""
        self._spared += 1
        try:
            yield
        finally:
            self._spared -= 1

    def limited(self, seconds: float | None) -> Limit:
        """Limit the time of the code within; after it, StepTimeout interrupts the code once per second."""
        return Limit(seconds, self._arm)

    def _arm(self, limit: Limit, seconds: float) -> None:
        limit.alarm = self._watch.after(seconds, lambda: self._expire(limit))

    def _expire(self, limit: Limit) -> None:
        if not limit.over:
            limit.expired = True
            self._arm(limit, AGAIN_AFTER)
            self._press()

    def _press(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGUSR1)

    def _deliver(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._open:
            return
        if self._canceled and not self._spared:
            raise Canceled("the run was canceled")
        # The handler runs in the context of the code that it interrupts, which may not be the step's.
        if (limit := _limit.get()) is not None and limit.expired:
            raise StepTimeout


class _GatedLock:
    """A lock that keeps interrupts out of the main thread while it holds it."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._was_open = False  # written by the holder only

    def __enter__(self) -> None:
        if not _in_main_thread():
            self._lock.acquire()
            return
        was_open = self._interrupts._open  # noqa: SLF001 - one class in two halves
        self._interrupts.leave()
        self._lock.acquire()
        self._was_open = was_open

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_open = self._was_open
        self._was_open = False
        self._lock.release()
        if was_open and _in_main_thread():
            self._interrupts.enter()


def _in_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident
