"""Measures over consecutive samples: promotions beyond the slots, and gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STEADY = 1.0
"""Seconds for which the same workers must offer slots before an excess counts as a wrong promotion."""


@dataclass
class Slots:
    """Finds promotions beyond the slots: while the same workers offer slots, an excess may shrink but never grow."""

    workers: list[str] = field(default_factory=list)
    since: float = 0.0
    excess: int = 0

    def look(self, now: float, row: dict[str, Any]) -> str | None:
        """Add a sample; return the violation that it shows."""
        if row["overfull"]:
            return f"workers hold more runs than they have slots: {row['overfull']}"
        excess = max(0, row["leased"] + row["tickets"] - row["slots"])
        if row["workers"] != self.workers:
            self.workers, self.since, self.excess = row["workers"], now, excess
            return None
        before, self.excess = self.excess, excess
        if excess > before and now - self.since > STEADY:
            return f"{row['tickets']} tickets and {row['leased']} leases for {row['slots']} slots"
        return None


@dataclass
class Gap:
    """Measures how long an event was missing although it was possible: `mark` changes at each event."""

    since: float | None = None
    mark: object = None

    def look(self, now: float, could: bool, mark: object) -> float:
        """Add a sample; return the length of the gap that it ends, else 0."""
        length = now - self.since if self.since is not None else 0.0
        if could and mark == self.mark:
            self.since = now if self.since is None else self.since
            return 0.0
        self.since, self.mark = (now if could else None), mark
        return length
