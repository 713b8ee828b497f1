"""Agents that book something, and release it in a `finally` after every end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from taxiway import AsyncRun, Run, agent


def book(room: int) -> str:
    return f"room {room}"


def release(what: str) -> str:
    return f"released {what}"


def hold(file: str) -> None:
    Path(file).touch()
    time.sleep(3600)


def begin(file: str) -> None:
    Path(file).touch()


async def hold_too(file: str) -> None:
    begin(file)
    await asyncio.sleep(3600)


def fail() -> None:
    raise ValueError("no such room")


@agent
def holds(run: Run, file: str) -> None:
    booked = [run.step(book, 7), run.using(name="book a car").step(book, 8)]
    try:
        run.step(hold, file)
    finally:
        for what in booked:
            run.cleanup(release, what)


@agent
async def holds_too(run: AsyncRun, file: str) -> None:
    booked = [await run.step(book, 7), await run.step(book, 8)]
    try:
        await run.step(hold_too, file)
    finally:
        for what in booked:
            await run.cleanup(release, what)


@agent
def fails(run: Run) -> None:
    booked = run.step(book, 7)
    try:
        run.step(fail)
    finally:
        run.cleanup(release, booked)


@agent
async def fails_too(run: AsyncRun) -> None:
    booked = await run.step(book, 7)
    try:
        await run.step(fail)
    finally:
        await run.cleanup(release, booked)


@agent
def is_denied(run: Run) -> None:
    booked = run.step(book, 7)
    try:
        run.approve("Really?", on_deny="raise")
    except Exception:
        run.cleanup(release, booked)
        raise
