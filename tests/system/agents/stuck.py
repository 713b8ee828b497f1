"""Agents that never end by themselves, each in its own way, and one that ends when a file appears."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import deque
from pathlib import Path

from effects import note
from taxiway import AsyncRun, Run, agent, step_info


def here(log: str, run: str) -> None:
    note(log, "begin", run, 1, key=step_info().key)


def spin(log: str, run: str) -> None:
    here(log, run)
    while True:
        pass


def sleep(log: str, run: str) -> None:
    here(log, run)
    time.sleep(3600)


def block(log: str, run: str) -> None:
    here(log, run)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000_000)  # hours in C, deaf to signals


def hog(log: str, run: str) -> None:
    here(log, run)
    deque(itertools.repeat(None), maxlen=0)  # forever in C, and no other thread of the host gets a turn


def swallow(log: str, run: str) -> None:
    here(log, run)
    while True:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: BLE001 - the worst that agent code can do
            continue


async def hang(log: str, run: str) -> None:
    here(log, run)
    await asyncio.Event().wait()


async def cling(log: str, run: str) -> None:
    here(log, run)
    while True:
        try:
            await asyncio.Event().wait()
        except BaseException:  # noqa: BLE001 - the worst that agent code can do
            continue


STEPS = {step.__name__: step for step in (spin, sleep, block, hog, swallow)}
ASYNC_STEPS = {step.__name__: step for step in (spin, hang, cling)}


@agent
def stuck(run: Run, log: str, how: str) -> None:
    """Get stuck in a step."""
    run.step(STEPS[how], log, run.id)


@agent
async def stuck_loop(run: AsyncRun, log: str, how: str) -> None:
    """Get stuck in a step of an asyncio agent."""
    await run.step(ASYNC_STEPS[how], log, run.id)


@agent
def stuck_outside(run: Run, log: str) -> None:
    """Hang outside of any step, swallowing every exception."""
    note(log, "begin", run.id, 1, key=None)
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - the worst that agent code can do
            continue


@agent
def until_there(run: Run, log: str, file: str) -> str:
    """Return when the file exists."""
    note(log, "begin", run.id, 1, key=None)
    while not Path(file).exists():
        time.sleep(0.01)
    return "there"


@agent
def quick(run: Run) -> str:
    """Return immediately."""
    return "done"
