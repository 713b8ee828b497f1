"""Measured agents. Their steps do almost nothing, so the figures show the overhead of Taxiway."""

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
    """Execute `n` steps sequentially."""
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
    """Return the time before the first step, and the time after each recorded step."""
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
    """Keep a slot for some seconds, and return the begin and the end."""
    return list(run.step(wait, seconds))


def leave_mark(path: str) -> None:
    """Append the start time of this step, its process and its parent process."""
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
    """Stay inside one call of C code that holds the interpreter and ignores signals."""
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
    """Ask for an approval, then execute a step."""
    run.approve("Continue?")
    return float(run.step(now))


async def beat() -> None:
    """Beat every second, so that the agent never only waits."""
    while True:  # noqa: ASYNC110  it waits for nothing
        await asyncio.sleep(1)


@agent
async def asked_meanwhile(run: AsyncRun) -> float:
    """Ask for an approval beside a heartbeat, and return when the agent received the decision."""
    heart = asyncio.create_task(beat())
    await run.approve("Continue?")
    came = time.time()
    heart.cancel()
    return came
