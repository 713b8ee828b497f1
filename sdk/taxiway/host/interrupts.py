"""Raises in the main thread what other threads decided, and only while agent code runs there.

A signal is sent to the main thread, so that a sleep or a system call ends too; Python runs its handler between two
instructions of that thread. The handler raises only while the gate is open, which it is exactly while agent code runs:
a frame is never left half written, a lock never left held. A handler that raises just before the gate is closed leaves
it open for the moment; therefore the lock of the channel closes it again for itself.
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
"""Seconds between two interrupts of code that swallowed the first."""


class StepTimeout(BaseException):
    """Interrupts a step that used up its time."""


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
    """The gate between the main thread and those who may interrupt it."""

    def __init__(self, watch: AlarmThread) -> None:
        self.lock = _GatedLock(self)
        self._watch = watch
        self._open = False
        self._canceled = False
        self._spared = 0

    def install(self) -> None:
        """Take the signal; agents may have set a handler of their own meanwhile."""
        if signal.getsignal(signal.SIGUSR1) != self._deliver:
            signal.signal(signal.SIGUSR1, self._deliver)

    def enter(self) -> None:
        """Agent code runs from here; raise Canceled when that was decided meanwhile."""
        self._open = True
        if self._canceled and not self._spared:
            raise Canceled("the run was canceled")

    def leave(self) -> None:
        """Code of the host runs from here."""
        self._open = False

    def cancel(self) -> None:
        """Raise Canceled in agent code, now or when it next runs. Called by other threads."""
        self._canceled = True
        self._press()

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Let no cancel interrupt the code within: it undoes what the run has done, and the worker limits its time."""
        self._spared += 1
        try:
            yield
        finally:
            self._spared -= 1

    def limited(self, seconds: float | None) -> Limit:
        """Limit the time of the code within, which is interrupted by StepTimeout once a second from then on."""
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
        # The handler runs in the context of the code that it interrupts: that of the step, or of somebody else.
        if (limit := _limit.get()) is not None and limit.expired:
            raise StepTimeout


class _GatedLock:
    """A lock that keeps interrupts out of the main thread while it holds it."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._was_open = False  # written by the holder alone

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
