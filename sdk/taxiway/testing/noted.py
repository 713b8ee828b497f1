"""The outcomes of the runs that were played last, for the pytest plugin to show when a test fails."""

from __future__ import annotations

from collections import deque
from typing import Final

from taxiway.testing.outcome import Outcome

NOTED: Final[deque[Outcome]] = deque(maxlen=20)
