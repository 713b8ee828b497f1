"""Decides for how long a channel is not heard because it says too much: one channel must not delay all others.

Workers bound what each run shows, so an honest channel stays far below. One that floods is left for a while, ever longer while it
goes on; its streams read the table meanwhile, and lose live-only messages.
"""

import time
from collections.abc import Callable
from typing import Final

from models.runtime.budget import Budget

MESSAGES: Final = 2_000.0
AT_ONCE: Final = 1_000.0
FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 4.0
CALM_SECONDS: Final = 10.0


class Flood:
    """What one channel may say. Used on the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._budget = Budget(MESSAGES, AT_ONCE, clock())
        self._seconds = FIRST_SECONDS
        self._heard_again = -CALM_SECONDS
        self.left = False
        """Whether the channel is left now."""

    def hear(self) -> float:
        """Count a message; return for how many seconds the channel is to be left now, 0 where it is heard."""
        now = self._clock()
        if self.left or self._budget.refill(now) >= 1:
            self._budget.spend(0 if self.left else 1)
            return 0.0
        calm = now > self._heard_again + CALM_SECONDS
        self._seconds = FIRST_SECONDS if calm else min(LONGEST_SECONDS, 2 * self._seconds)
        self.left = True
        return self._seconds

    def again(self) -> None:
        """Hear the channel again."""
        self.left, self._heard_again = False, self._clock()
