"""Fills the slots of a queue one after another: runs of equal length would otherwise beat in step.

What is promoted together starts together, ends together, and then all of it waits for the same processors, while they idle
for the rest of the time; and as it is promoted together again, this never ends. Started a few milliseconds apart, runs
end a few milliseconds apart, and each finds everything at its disposal.
"""

# Of n free slots the next one is filled after the least of these: an n-th of a time, a time, a share of the mean time between
# two promotions of late (so that whatever gathered is made up for).
FILL_SECONDS, GAP_SECONDS, SHARE_OF_MEAN = 0.05, 0.006, 0.85
BUSY_SECONDS = 0.005  # where that mean is shorter, slots are filled at once: many in one statement cost less
WEIGHT = 1 / 8  # of one promotion in the mean
LONGEST_SECONDS = 0.05  # a longer pause counts as this one
TURN_SECONDS = 0.002  # one turn fills as many as are due in this time; who comes late by no more makes up for it


class Pace:
    """When the next slots of one queue are filled; all times are of the process's monotonic clock, in seconds."""

    def __init__(self, fill_s: float = FILL_SECONDS) -> None:
        self._fill_s = fill_s
        self._mean_s = 0.0
        self._promoted_at = self._next_at = 0.0

    def allowed(self, free: int, now: float) -> int:
        """Say how many of the free slots may be filled now; where it is none, look again after `wait`."""
        gap = self._gap(free)
        if not gap:
            return free
        return min(free, max(1, int(TURN_SECONDS / gap))) if now >= self._next_at else 0

    def wait(self, now: float) -> float:
        """Give the time until the next slot may be filled."""
        return max(0.0, self._next_at - now)

    def promoted(self, runs: int, free: int, now: float) -> None:
        """Note that so many runs were promoted into free slots."""
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
