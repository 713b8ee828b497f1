"""Retry policy of steps: whether another attempt follows a failed one, and after how many seconds."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

from taxiway.durations import LONGEST, Duration, seconds
from taxiway.errors import Fatal, RetryAfter

ErrorTypes = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Retry:
    """A retry policy: at most `attempts` attempts in total, with delays that grow.

    The first delay is `initial`; each further one is `factor` times longer, up to `max`. `jitter` is the share by which a delay
    varies in both directions. Only errors of the types `on` are retried, and never those of `give_up`. In a step,
    `raise RetryAfter("20s")` sets the delay itself, and `raise Fatal(…)` ends the step without another attempt.
    """

    attempts: int = 1
    initial: Duration = "1s"
    factor: float = 2.0
    max: Duration = "5m"
    jitter: float = 0.1
    on: ErrorTypes = (Exception,)
    give_up: ErrorTypes = ()

    def __post_init__(self) -> None:
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int) or self.attempts < 1:
            raise ValueError(f"Retry(attempts=…) counts all tries and is at least 1, not {self.attempts!r}")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"Retry(factor=…) is a number of at least 1, not {self.factor!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Retry(jitter=…) lies between 0 and 1, not {self.jitter!r}")
        seconds(self.initial)
        seconds(self.max)
        for given in (self.on, self.give_up):
            if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in _as_tuple(given)):
                raise TypeError(f"Retry(on=…, give_up=…) take exception classes, not {given!r}")

    def delay_after(self, attempt: int, error: BaseException, spread: float | None = None) -> float | None:
        """Return the seconds to wait before the next attempt, None if attempt number `attempt` was the last.

        `spread` (-1 to 1) selects the delay within the jitter; by default it is random.
        """
        if attempt >= self.attempts or isinstance(error, Fatal):
            return None
        if isinstance(error, RetryAfter):
            return error.delay
        if isinstance(error, _as_tuple(self.give_up)) or not isinstance(error, _as_tuple(self.on)):
            return None
        spread = random.uniform(-1, 1) if spread is None else spread
        return min(LONGEST, self._back_off(attempt) * (1 + self.jitter * spread))

    def _back_off(self, attempt: int) -> float:
        longest = seconds(self.max)
        try:
            return min(longest, seconds(self.initial) * self.factor ** (attempt - 1))
        except OverflowError:
            return longest


def _as_tuple(kinds: ErrorTypes) -> tuple[type[BaseException], ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


NO_RETRY: Final = Retry()
