"""Parking of a played run: when its code waits, the run is parked immediately, and sleeps are skipped."""

from __future__ import annotations

import math

from taxiway.host.parking import TIMER_HOLD, Hold, Parking
from taxiway.testing.clock import Clock


class Resting(Parking):
    """The parking of a played run. Events that its background tasks set while it waits do not wake it."""

    background: float = math.inf
    clock: Clock | None = None
    """The run's clock, which includes skipped time."""

    def unwind(self) -> None:
        """Fire the next timer immediately."""
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
        self._loop.call_ours(self._turns.look)  # not directly: turns are being looked at now
