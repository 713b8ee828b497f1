"""An agent of three slow steps, each of which leaves a trace outside the system."""

from __future__ import annotations

import time
from typing import Any

from effects import note
from taxiway import Run, agent, step_info

# Not an argument of the steps, because a replay matches steps by their arguments.
here: dict[str, Any] = {}


def part(number: int, seconds: float) -> int:
    note(**here, what="begin", key=step_info().key)
    time.sleep(seconds)
    note(**here, what="end", key=step_info().key)
    return number


@agent
def durable(run: Run, log: str, seconds: float) -> int:
    """Add up three parts."""
    here.update(log=log, run=run.id, activation=run.activation)
    return sum(run.step(part, number, seconds) for number in range(3))
