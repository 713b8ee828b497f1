"""How long to wait before asking again, and when to stop asking. No I/O."""

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
    """Waits of 0.25 s, doubling to 10 s, each shortened at random by up to half so that clients do not return in step.

    `patience` is how many seconds in a row a server may be away (None: for ever). `clock` is monotonic.
    """

    patience: float | None
    clock: Callable[[], float] = time.monotonic
    failures: int = field(default=0, init=False)
    away_since: float | None = field(default=None, init=False)

    def after(self, error: TaxiwayError) -> float:
        """Return the seconds to wait after this error; raise the error itself where waiting cannot help any more."""
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
        """The server gave a sign of life: patience starts afresh, the length of the waits does not."""
        self.away_since = None

    def reset(self) -> None:
        """The server did what was asked of it: start afresh."""
        self.failures = 0
        self.away_since = None
