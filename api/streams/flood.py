"""Flood control of a channel: one that sends too much is muted for a while, so that it does not delay all others.

Workers limit what each run sends, so a regular channel stays far below the limit. A channel that floods again is muted longer
each time. Until then its streams read the table, and lose live-only messages.
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
    """The message budget of one channel. Used on the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._budget = Budget(MESSAGES, AT_ONCE, clock())
        self._seconds = FIRST_SECONDS
        self._unmuted_at = -CALM_SECONDS
        self.muted = False

    def count(self) -> float:
        """Count a message. Return the seconds for which to mute the channel now; 0 if it is below the limit, or muted."""
        now = self._clock()
        if self.muted or self._budget.refill(now) >= 1:
            self._budget.spend(0 if self.muted else 1)
            return 0.0
        calm = now > self._unmuted_at + CALM_SECONDS
        self._seconds = FIRST_SECONDS if calm else min(LONGEST_SECONDS, 2 * self._seconds)
        self.muted = True
        return self._seconds

    def unmute(self) -> None:
        """Count the channel's messages again."""
        self.muted, self._unmuted_at = False, self._clock()
