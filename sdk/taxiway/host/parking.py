"""Parking of an async agent's run: once its code only waits, or has rested long enough.

A run that only waits is parked immediately and holds nothing. A heartbeat, a socket or a call in a thread may continue for a
while besides a wait; then they are ended too, because the replay starts them again. Timers of the agent's code do not prevent
a park: the parked run wakes up for the next timer of its own, but not for timers that background tasks set while it rested.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from taxiway.activation import Activation
from taxiway.callers import place_of
from taxiway.errors import Park
from taxiway.frames import Kind
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.turns import Turns
from taxiway.host.waiting import Waiting
from taxiway.waits import TIMER

ALARM: Final = "alarm@"
"""Prefix of the key of the wait that wakes a run for a timer of its code."""
REPORT_HOLDS_AFTER: Final = 1.0
"""Seconds of rest after which the worker receives the reasons why a waiting run keeps its slot."""
BACKGROUND: Final = 300.0
"""Seconds for which a parked run does not wake up for its background tasks."""
TIMER_HOLD: Final = "timer"
_OURS: Final = "taxiway-"


@dataclass(frozen=True)
class Hold:
    """Something that keeps a waiting run in its slot; `place` is a line of the agent's code."""

    kind: str
    what: str
    place: str = ""

    def as_frame(self) -> dict[str, Any]:
        """Return the hold as a `held` frame carries it."""
        file, _, line = self.place.rpartition(":")
        return {"kind": self.kind, "what": self.what, "file": file or None, "line": int(line) if file else None}


class Parking:
    """The decision for one activation. Used by its loop's thread only."""

    background = BACKGROUND
    """Seconds for which a parked run does not wake up for timers that background tasks set while it rested."""

    def __init__(
        self, activation: Activation, loop: AgentLoop, waiting: Waiting, turns: Turns, is_busy: Callable[[], bool]
    ) -> None:
        self._activation, self._loop, self._waiting, self._turns = activation, loop, waiting, turns
        self._is_busy = is_busy
        self._patience = activation.order.park_after
        self._asked = False
        self._is_reported = False
        self._again: asyncio.TimerHandle | None = None
        self._threads = set(threading.enumerate())
        self._rests_since = self._rests_since_real = 0.0
        self.touch()

    def touch(self) -> None:
        """End the rest: the agent's code uses a verb of the run."""
        self._rests_since, self._rests_since_real = self._loop.run_clock.now, self._loop.run_clock.real()
        if self._is_reported:
            self._report([])

    def ask(self) -> None:
        """Park as soon as the code waits, even if it does other things as well."""
        self._asked = True
        self._turns.look()

    def on_rest(self) -> bool:
        """Park the run if it may be, otherwise open the awaited waits; return whether the agent's code is ended."""
        if self._activation.is_stopped:
            self.unwind()
            return False
        self._waiting.withdraw()
        if self._is_busy() or not self._turns.is_settled:
            self._waiting.open_new()
            self._look_again([])
            return False
        holds = self._holds()
        if self._may_park(holds):
            if self._waiting.look():
                return False
            self._park()
            return True
        self._waiting.open_new()
        self._look_again(holds)
        return False

    def unwind(self) -> None:
        """Keep firing timers while ended code unwinds, such as a `finally` that closes a connection."""
        self._look_again([])

    def _may_park(self, holds: list[Hold]) -> bool:
        timed = self._loop.run_timers.first() is not None
        if not self._waiting.awaited():
            return timed and not holds and not self._foreign_threads()
        return not holds or self._asked or self._rested() >= self._patience

    def _rested(self) -> float:
        return self._loop.run_clock.real() - self._rests_since_real

    def _holds(self) -> list[Hold]:
        found: list[Hold] = []
        first = self._loop.run_timers.first()
        if first is not None and (left := first.when - self._loop.run_clock.real()) < self._patience:
            found.append(Hold(TIMER_HOLD, f"a timer that is due in {max(left, 0):.3g} s", place_of(first.place)))
        if sockets := self._loop.agent_sockets():
            found.append(Hold("socket", f"{sockets} open sockets or pipes that its own code reads or writes"))
        if jobs := len(self._loop.agent_jobs):
            found.append(Hold("thread", f"{jobs} calls in threads"))
        return found

    def _foreign_threads(self) -> bool:
        """Return whether a thread runs that the agent's code may have started, and that may resolve what it awaits."""
        return any(not one.name.startswith(_OURS) for one in set(threading.enumerate()) - self._threads)

    def _park(self) -> None:
        waits = [wait.as_frame() for wait in self._waiting.awaited().values()]
        alarm = self._alarm()
        wake = "any" if alarm else self._waiting.wake
        self._waiting.note_timers()
        self._activation.stop(Park((*waits, *alarm), wake))
        self._activation.end()

    def _alarm(self) -> tuple[dict[str, object], ...]:
        """Return the wait that wakes the run for the next timer of its code, if there is a timer."""
        real = self._loop.run_clock.real()
        moments = [
            timer.when if timer.since <= self._rests_since else max(timer.when, real + self.background)
            for timer in self._loop.run_timers.pending()
        ]
        when = min(moments, default=math.inf)
        if when == math.inf:
            return ()
        due_ms = math.ceil(max(0.0, when - real) * 1000)
        # The number makes the key unique: a wait that woke the run slightly early is resolved and cannot be opened again.
        key = f"{ALARM}{when:.6f}#{self._activation.order.number}"
        return ({"key": key, "kind": TIMER, "dueMs": due_ms, "onDue": "elapsed", "request": "{}"},)

    def _look_again(self, holds: list[Hold]) -> None:
        """Schedule the next decision: when a timer of the code is due, or the run has rested long enough."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        moments = []
        if (first := self._loop.run_timers.first()) is not None:
            moments.append(first.when - self._loop.run_clock.real())
        if holds and self._waiting.awaited():
            rested = self._rested()
            moments.append(self._patience - rested)
            if not self._is_reported and rested >= REPORT_HOLDS_AFTER:
                self._report(holds)
            elif not self._is_reported:
                moments.append(REPORT_HOLDS_AFTER - rested)
        if moments:
            self._again = self._loop.call_ours_in(max(0.0, min(moments)), self._turns.look)

    def _report(self, holds: list[Hold]) -> None:
        self._is_reported = bool(holds)
        if not self._activation.is_stopped:
            self._activation.tell(Kind.HELD, {"by": [hold.as_frame() for hold in holds]})
