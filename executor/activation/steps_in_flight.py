"""Steps that execute on a host now: the oldest is shown, and one that exceeds its timeout is stuck."""

import time
from dataclasses import dataclass
from math import inf

from models.runs.recording import StepRecord


@dataclass(frozen=True, slots=True)
class _Step:
    must_end: float
    attempt: StepRecord


class StepsInFlight:
    """Used by the slot's thread only."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self.shown: str | None = None

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def oldest(self) -> str | None:
        """Key of the step that has been executing for longest."""
        return next(iter(self._steps), None)

    def started(self, attempt: StepRecord, limit_s: float | None) -> None:
        """Record that an attempt began; after `limit_s` seconds (None: never) it is stuck."""
        self._steps[attempt.key] = _Step(inf if limit_s is None else time.monotonic() + limit_s, attempt)

    def ended(self, key: str) -> None:
        """Record that the attempt ended, with any result."""
        self._steps.pop(key, None)

    def stuck(self) -> StepRecord | None:
        """Return the record of an attempt that its host could not end in time."""
        now = time.monotonic()
        return next((step.attempt for step in self._steps.values() if now > step.must_end), None)
