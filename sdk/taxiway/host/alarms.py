"""Alarms: functions that one thread calls at their time."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True)
class Alarm:
    """A call of `call` at `when`, on the monotonic clock."""

    when: float
    number: int
    call: Callable[[], None] = field(compare=False)
    off: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Prevent the call, unless it has begun already."""
        self.off = True


class AlarmThread:
    """A thread that calls due functions, which must be quick and must not raise. Any thread may set an alarm."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._alarms: list[Alarm] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="taxiway-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def after(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Call `call` after so many seconds; return the alarm, which can be cancelled."""
        alarm = Alarm(time.monotonic() + seconds, next(self._numbers), call)
        with self._changed:
            heapq.heappush(self._alarms, alarm)
            if self._alarms[0] is alarm:
                self._changed.notify()
        return alarm

    def _run(self) -> None:
        while True:
            alarm = self._next_due()
            if not alarm.off:
                alarm.call()

    def _next_due(self) -> Alarm:
        with self._changed:
            while True:
                remaining = self._alarms[0].when - time.monotonic() if self._alarms else None
                if remaining is not None and remaining <= 0:
                    return heapq.heappop(self._alarms)
                self._changed.wait(remaining)
