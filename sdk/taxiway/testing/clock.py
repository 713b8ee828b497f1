"""Clock of a played run: time passes only while the run waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that is moved by hand; `now` is in seconds since the test's run began, `began` is the start of its own run."""

    def __init__(self, began: float = 0.0, zero: datetime | None = None) -> None:
        self.zero = datetime.now(UTC) if zero is None else zero
        self.began = self.now = began

    @property
    def slept(self) -> float:
        """The seconds since its run began."""
        return self.now - self.began

    def pass_by(self, seconds: float) -> None:
        """Advance by this time."""
        self.now += seconds

    def reach(self, when: float) -> None:
        """Advance to `when`; never go back."""
        self.now = max(self.now, when)

    def text(self) -> str:
        """Return the current time as the server writes it."""
        moment = self.zero + timedelta(seconds=self.now)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
