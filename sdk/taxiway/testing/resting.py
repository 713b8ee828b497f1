"""Decides what a played run does when its code waits: it is parked at once, and time that only passes is skipped."""

from __future__ import annotations

import math

from taxiway.host.parking import TIMER_HOLD, Hold, Parking
from taxiway.testing.clock import Clock


class Resting(Parking):
    """The parking of a played run. What its background tasks set while it rests does not wake it."""

    background: float = math.inf
    clock: Clock | None = None
    """The run's clock, of which skipped time is a part."""

    def unwind(self) -> None:
        """Have the next timer fire at once, in no time."""
        if (first := self._loop.run_timers.first()) is not None:
            self._loop.run_clock.skip(max(0.0, first.when - self._loop.run_clock.real()))
            self._loop.call_ours(self._turns.look)

    def _may_park(self, holds: list[Hold]) -> bool:
        del holds
        return bool(self._waiting.awaited())

    def _look_again(self, holds: list[Hold]) -> None:
        first = self._loop.run_timers.first()
        is_idle = not self._is_busy() and self._turns.is_settled
        if first is None or not is_idle or any(hold.kind != TIMER_HOLD for hold in holds):
            super()._look_again(holds)
            return
        left = max(0.0, first.when - self._loop.run_clock.real())
        self._loop.run_clock.skip(left)
        if self.clock is not None:
            self.clock.pass_by(left)
        self._loop.call_ours(self._turns.look)  # not now: it is looked at just now
