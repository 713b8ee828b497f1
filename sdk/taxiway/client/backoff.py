"""Delays between repeated calls, and the time after which they stop. No I/O."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from taxiway.client.errors import NotReachable, RateLimited, Unavailable
from taxiway.errors import TaxiwayError

FIRST = 0.25
FACTOR = 2.0
LONGEST = 10.0


@dataclass
class Backoff:
    """Delays of 0.25 s, doubling to 10 s, each shortened at random by up to half so that clients do not return together.

    `patience` limits how many seconds in a row a server may be unreachable (None: no limit). `clock` is monotonic.
    """

    patience: float | None
    clock: Callable[[], float] = time.monotonic
    failures: int = field(default=0, init=False)
    away_since: float | None = field(default=None, init=False)

    def after(self, error: TaxiwayError) -> float:
        """Return the seconds to wait after this error; raise the error itself if waiting no longer helps."""
        if not isinstance(error, NotReachable | Unavailable | RateLimited):
            raise error
        now = self.clock()
        self.away_since = now if self.away_since is None else self.away_since
        if self.patience is not None and now - self.away_since >= self.patience:
            raise error
        longest = min(LONGEST, FIRST * FACTOR ** min(self.failures, 16))
        self.failures += 1
        asked = getattr(error, "retry_after", None)
        return max(asked or 0.0, longest * random.uniform(0.5, 1.0))

    def heard(self) -> None:
        """Restart the patience, not the delays: the server has sent something."""
        self.away_since = None

    def reset(self) -> None:
        """Restart patience and delays: the server has answered successfully."""
        self.failures = 0
        self.away_since = None
