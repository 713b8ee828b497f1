"""Keeps the time of a run that is played: it passes only while the run waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that stands until it is moved; `now` are the seconds since the test's run began, `began` when its own did."""

    def __init__(self, began: float = 0.0, zero: datetime | None = None) -> None:
        self.zero = datetime.now(UTC) if zero is None else zero
        self.began = self.now = began

    @property
    def slept(self) -> float:
        """The seconds that have passed since its run began."""
        return self.now - self.began

    def pass_by(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now += seconds

    def reach(self, when: float) -> None:
        """Let time pass until `when`; it never goes back."""
        self.now = max(self.now, when)

    def text(self) -> str:
        """Return the moment as the server writes it."""
        moment = self.zero + timedelta(seconds=self.now)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
