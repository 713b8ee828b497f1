"""The agents that are measured. Each step does next to nothing, so that what is measured is what Taxiway adds."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from taxiway import AsyncRun, Run, agent


def add(total: int, i: int) -> int:
    return total + i


def now() -> float:
    return time.time()


@agent
def sums(run: Run, steps: int) -> int:
    """Execute so many steps, one after the other."""
    total = 0
    for i in range(steps):
        total = run.step(add, total, i)
    return total


@agent
def stamp(run: Run) -> float:
    """Return when the first step started."""
    return float(run.step(now))


@agent
def paced(run: Run, steps: int) -> list[float]:
    """Return when each step had been recorded, after the moment before the first one."""
    stamps = [time.perf_counter()]
    for _ in range(steps):
        run.step(add, 0, 1)
        stamps.append(time.perf_counter())
    return stamps


def wait(seconds: float) -> list[float]:
    """Return when this step began and when it ended."""
    began = time.time()
    time.sleep(seconds)
    return [began, time.time()]


@agent
def busy(run: Run, seconds: float) -> list[float]:
    """Keep a slot for so long, and return from when until when."""
    return list(run.step(wait, seconds))


def leave_mark(path: str) -> None:
    """Append when this step started, in which process, and which process started that one."""
    with Path(path).open("a") as marks:
        marks.write(f"{time.time()} {os.getpid()} {os.getppid()}\n")


def hold(path: str) -> None:
    leave_mark(path)
    time.sleep(600)


def loop(path: str) -> None:
    leave_mark(path)
    while True:
        pass


def block(path: str) -> None:
    """Stay inside one call of C code that holds the interpreter and never looks at signals."""
    leave_mark(path)
    sum(range(10**14))


@agent
def held(run: Run, path: str) -> None:
    run.step(hold, path)


@agent
def looped(run: Run, path: str) -> None:
    run.step(loop, path)


@agent
def blocked(run: Run, path: str) -> None:
    run.step(block, path)


@agent
def asked(run: Run) -> float:
    """Ask somebody, then execute a step."""
    run.approve("Go on?")
    return float(run.step(now))


async def beat() -> None:
    """Beat each second, so that the agent never only waits."""
    while True:  # noqa: ASYNC110  it waits for nothing
        await asyncio.sleep(1)


@agent
async def asked_meanwhile(run: AsyncRun) -> float:
    """Ask somebody while a heart beats beside it, and return when the agent had the decision."""
    heart = asyncio.create_task(beat())
    await run.approve("Go on?")
    came = time.time()
    heart.cancel()
    return came
