"""Short runs of one step, and long ones that end when a file appears."""

from __future__ import annotations

import time
from pathlib import Path

from taxiway import Run, agent


def double(number: int) -> int:
    return 2 * number


@agent
def short(run: Run, number: int) -> int:
    """Return twice the number, in one step."""
    return run.step(double, number)


@agent
def long(run: Run, until: str) -> None:
    """Return when the file exists."""
    while not Path(until).exists():
        time.sleep(0.05)
