"""An agent that emits events to its run's stream for a while, and others that end in every way."""

from __future__ import annotations

import time
from pathlib import Path

from taxiway import Run, agent


def work(number: int, seconds: float) -> int:
    time.sleep(seconds)
    return number


@agent
def teller(run: Run, parts: int, seconds: float = 0.05) -> int:
    """Work in parts; emit a durable event after each."""
    for number in range(parts):
        run.progress(number, parts)
        run.step(work, number, seconds)
        run.emit("part", {"number": number}, durable=True)
        run.emit("hint", {"number": number})
    return parts


@agent
def failing(run: Run) -> None:
    """Fail in a step."""
    run.using(name="divide").step(lambda: 1 / 0)


@agent
def waiting(run: Run, file: str) -> None:
    """Report by a file that it executes, then wait forever."""
    Path(file).touch()
    time.sleep(3600)
