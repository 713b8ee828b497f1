"""A budget that refills: so many units a second, and so many together after a rest."""


class Budget:
    """What is left to spend, by a clock that its user reads. Used by one thread at a time."""

    def __init__(self, rate: float, at_once: float, now: float) -> None:
        self._rate, self._most, self._left, self._at = rate, at_once, at_once, now

    def refill(self, now: float) -> float:
        """Return what is left now."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def spend(self, amount: float) -> None:
        """Take from it, also below nothing."""
        self._left -= amount
