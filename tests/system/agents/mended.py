"""An agent whose code changes under its runs: while a file exists, it calls a step that was never recorded."""

from __future__ import annotations

import time
from pathlib import Path

from effects import note
from taxiway import Run, agent, step_info


def first(log: str, run: str) -> int:
    note(log=log, run=run, activation=0, what="begin", key=step_info().key)
    return 1


def other() -> int:
    return 2


def hold(door: str) -> None:
    while not Path(door).exists():
        time.sleep(0.01)


@agent
def mended(run: Run, log: str, broken: str, door: str) -> int:
    """Record one step, hang in the next; with the broken code, begin with another step."""
    if Path(broken).exists():
        run.step(other)
    value = run.step(first, log, run.id)
    run.step(hold, door)
    return value
