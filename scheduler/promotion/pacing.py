"""Staggers promotions; otherwise runs of equal length start and finish in synchronized bursts.

Runs that are promoted together start and end together. They compete for the same processors, which idle for the rest of the
time; and because they are promoted together again, this never ends. Runs that start a few milliseconds apart also end a few
milliseconds apart, and do not compete.
"""

# Of n free slots the next one is filled after the least of: FILL_SECONDS / n, GAP_SECONDS, and this share of the recent mean time
# between two promotions. The share is below 1, so a backlog is worked off.
FILL_SECONDS, GAP_SECONDS, SHARE_OF_MEAN = 0.05, 0.006, 0.85
BUSY_SECONDS = 0.005  # with a shorter mean, slots are filled together: many in one statement cost less
WEIGHT = 1 / 8  # of one promotion in the mean
LONGEST_SECONDS = 0.05  # a longer pause counts as this one
TURN_SECONDS = 0.002  # one turn fills as many as are due in this time; a turn that is late by at most this catches up


class Pace:
    """Times at which the next slots of one queue are filled, in seconds of the process's monotonic clock."""

    def __init__(self, fill_s: float = FILL_SECONDS) -> None:
        self._fill_s = fill_s
        self._mean_s = 0.0
        self._promoted_at = self._next_at = 0.0

    def allowed(self, free: int, now: float) -> int:
        """Return how many of the free slots may be filled now; if it is 0, ask again after `wait`."""
        gap = self._gap(free)
        if not gap:
            return free
        return min(free, max(1, int(TURN_SECONDS / gap))) if now >= self._next_at else 0

    def wait(self, now: float) -> float:
        """Return the seconds until the next slot may be filled."""
        return max(0.0, self._next_at - now)

    def promoted(self, runs: int, free: int, now: float) -> None:
        """Record that so many runs were promoted into free slots."""
        gap = self._gap(free)
        self._next_at = max(self._next_at, now - TURN_SECONDS) + runs * gap
        each = min(now - self._promoted_at, LONGEST_SECONDS) / runs
        kept = (1 - WEIGHT) ** runs
        self._mean_s = kept * self._mean_s + (1 - kept) * each
        self._promoted_at = now

    def _gap(self, free: int) -> float:
        if self._mean_s < BUSY_SECONDS:
            return 0.0
        return min(GAP_SECONDS, self._fill_s / free, SHARE_OF_MEAN * self._mean_s)
