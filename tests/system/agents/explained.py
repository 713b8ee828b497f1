"""Agents that wait in every possible way, and others that hold a slot until a file exists."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from taxiway import Run, agent


@agent
def quick(run: Run) -> str:
    """Return immediately."""
    return "done"


@agent
def held(run: Run, until: str) -> None:
    """Hold a slot until the file exists."""
    while not Path(until).exists():
        time.sleep(0.02)


def tick() -> None:
    time.sleep(0.05)


@agent
def stepping(run: Run, until: str) -> None:
    """Make small steps until the file exists."""
    while not Path(until).exists():
        run.step(tick)


@agent
def waiting(run: Run, what: str) -> Any:
    """Wait once, in one way."""
    match what:
        case "approval":
            return run.approve("Go on?").approved
        case "signal":
            return run.wait_for("paid")
        case "timer":
            return run.sleep("1h")
        case "pause":
            return run.pause("have a look")
        case "authorization":
            run.authorize("ours", scopes=["mail"], subject="ann", url="https://ours.example.com/consent")
    return None


@agent
def parent(run: Run, until: str) -> Any:
    """Wait for a child that holds a slot."""
    return run.spawn(held, {"until": until}).result()


@agent
def changed(run: Run, code: str) -> None:
    """Make a step with the name from a file, then wait: another name means other code."""
    run.using(name=Path(code).read_text()).step(tick)
    run.wait_for("paid")
