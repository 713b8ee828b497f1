"""Outcomes of the last played runs, which the pytest plugin shows when a test fails."""

from __future__ import annotations

from collections import deque
from typing import Final

from taxiway.testing.outcome import Outcome

NOTED: Final[deque[Outcome]] = deque(maxlen=20)
