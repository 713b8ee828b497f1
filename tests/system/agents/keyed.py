"""Short runs that compete for places; some sleep in between, and hold nothing during that."""

from __future__ import annotations

import time

from taxiway import Run, agent


def spend(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@agent
def keyed(run: Run, seconds: float, sleeps: bool) -> float:
    """Spend some time in a step and, if it sleeps, some more in another."""
    spent = run.step(spend, seconds)
    if sleeps:
        run.sleep(0.05)
        spent += run.step(spend, seconds)
    return spent
