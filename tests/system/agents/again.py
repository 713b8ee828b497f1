"""Agents that fail until a file exists, and log their effects: for runs that are retried."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import taxiway
from effects import note
from taxiway import AsyncRun, ChildFailed, Run, agent, step


@step
def did(log: str, run: str, what: str) -> str:
    note(log=log, run=run, activation=0, what=what)
    return what


def works(log: str, run: str, mended: str) -> str:
    note(log=log, run=run, activation=0, what="tried")
    if not Path(mended).exists():
        raise ValueError("not mended")
    return "worked"


def never(log: str, run: str) -> None:
    note(log=log, run=run, activation=0, what="never")
    raise ValueError("never works")


@step(once=True)
def pay(log: str, run: str, mended: str) -> str:
    note(log=log, run=run, activation=0, what="paid")
    while not Path(mended).exists():
        time.sleep(0.01)
    return "paid"


@agent
def order(run: Run, log: str, mended: str) -> list[Any]:
    """Ask, get a refusal from a step and catch it, clean up, and fail at the end."""
    first = run.using(name="first").step(did, log, run.id, "first")
    decision = run.approve("Go on?", choices=["now", "later"])
    sent = run.wait_for("sent")
    try:
        run.using(name="caught").step(never, log, run.id)
    except taxiway.StepFailed as failed:
        caught = failed.type
    second = run.using(name="second").step(did, log, run.id, "second")
    worked = run.using(name="works").step(works, log, run.id, mended)
    return [first, decision.choice, decision.by, sent, caught, second, worked, run.wait_for("unused")]


@agent
def tidy(run: Run, log: str, mended: str) -> str:
    """Clean up after a failure, and fail of it."""
    run.using(name="first").step(did, log, run.id, "first")
    try:
        return run.using(name="works").step(works, log, run.id, mended)
    except taxiway.StepFailed:
        run.using(name="clean").step(did, log, run.id, "clean")
        raise


@agent
def asking(run: Run, log: str, on_deny: str = "cancel") -> bool:
    """Begin only with approval, and ask for more."""
    run.using(name="first").step(did, log, run.id, "first")
    return bool(run.approve("Really?", on_deny=on_deny))


@agent
def paying(run: Run, log: str, mended: str) -> str:
    """Hang in a step that is executed once at most."""
    run.using(name="first").step(did, log, run.id, "first")
    return run.step(pay, log, run.id, mended)


@agent
def child(run: Run, log: str, mended: str, n: int) -> int:
    """Work, except for the last child, which works after a repair."""
    if n == 2:
        run.using(name="works").step(works, log, run.id, mended)
    return n


@agent
def family(run: Run, log: str, mended: str, catch: bool = False) -> list[Any]:
    """Start children, of which one fails and is caught; then fail of something else."""
    run.using(name="first").step(did, log, run.id, "first")
    good = run.map("child", [{"log": log, "mended": mended, "n": 10 + n} for n in range(2)])
    got = run.gather(*good)
    children = run.map("child", [{"log": log, "mended": mended, "n": n} for n in range(3)])
    values = run.gather(*children, return_errors=catch)
    if catch:
        run.using(name="instead").step(did, log, run.id, "instead")
        run.using(name="works").step(works, log, run.id, mended)
    return [*got, *("failed" if isinstance(value, ChildFailed) else value for value in values)]


@agent
async def beside(run: AsyncRun, log: str, mended: str) -> list[str]:
    """Do several things concurrently, one of which fails."""
    one = run.using(name="one").step(did, log, run.id, "one")
    two = run.using(name="two").step(did, log, run.id, "two")
    done = await asyncio.gather(one, two)
    async with asyncio.TaskGroup() as group:
        works_too = group.create_task(run.using(name="works").step(works, log, run.id, mended))
        group.create_task(run.sleep(0.2))
    return [*done, works_too.result()]
