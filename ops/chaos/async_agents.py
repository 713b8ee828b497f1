"""Async agents of the load: concurrent tasks, waits beside steps and heartbeats, and abandoned work.

A step returns the mark of the task that called it, which it reads from the context and not from its arguments. So equal calls of
different tasks differ only in their position, and a value that reached another task shows in the result.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from taxiway import AsyncRun, agent

from ops.chaos.effect_log import at, note, say

T = TypeVar("T")
BEAT: Final = 0.15
LATE: Final = "late"
REST: Final = "rest"
"""Name of the call that starts all children except the first two."""
_mark: Final[ContextVar[str]] = ContextVar("mark")


def _some(millis: int) -> float:
    """Return a random duration, so that tasks end in a different order at each execution."""
    return random.uniform(0.1, 2) * millis / 1000


async def draw(millis: int, secret: str) -> str:
    say("begin")
    await asyncio.sleep(_some(millis))
    say("end")
    return f"{_mark.get()}:{secret}"


def draw_in_thread(millis: int, secret: str) -> str:
    say("begin")
    time.sleep(_some(millis))
    say("end")
    return f"{_mark.get()}:{secret}"


async def keep(what: list[str]) -> list[str]:
    """Return the argument; different arguments in a replay show that it took another path."""
    say("begin")
    say("end")
    return what


async def marked(mark: str, work: Awaitable[T]) -> T:
    """Run work under a mark, in its own task."""
    _mark.set(mark)
    return await work


def begin(run: AsyncRun) -> None:
    at(run)
    note("awake")
    _mark.set("root")


@asynccontextmanager
async def heartbeat() -> AsyncIterator[None]:
    """Repeat work in the background, as many agents do: it keeps the slot for a while, but prevents no wait."""

    async def beat() -> None:
        while True:  # noqa: ASYNC110 - agents are written so
            await asyncio.sleep(BEAT)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


@agent
async def crowd(run: AsyncRun, tasks: int, millis: int, secret: str) -> list[list[str]]:
    """Nested tasks with equal calls; some sleep between them."""
    begin(run)

    async def one(n: int) -> list[str]:
        own = await run.step(draw, millis, secret)
        if n % 3 == 0:
            await run.sleep(millis / 1000)
        inner = []
        async with asyncio.TaskGroup() as group:
            for k in range(n % 3):
                work = run.step(draw_in_thread, millis, secret) if n % 2 else run.step(draw, millis, secret)
                inner.append(group.create_task(marked(f"{n}.{k}", work)))
        return [own, *(task.result() for task in inner), await run.step(draw, millis, secret)]

    return await asyncio.gather(*(marked(str(n), one(n)) for n in range(tasks)))


@agent
async def racing(run: AsyncRun, rounds: int, millis: int, secret: str) -> list[list[str]]:
    """Steps that race each other and the clock: the first winner stays the winner."""
    begin(run)
    won: list[list[str]] = []
    for n in range(rounds):
        runners = [asyncio.create_task(marked(f"{n}.{k}", run.step(draw, millis, secret))) for k in range(3)]
        done, left = await asyncio.wait(runners, return_when=asyncio.FIRST_COMPLETED)
        for loser in left:
            loser.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        won.append(await run.step(keep, sorted(runner.result() for runner in done)))
        try:
            async with asyncio.timeout(millis / 1000):
                in_time = await asyncio.create_task(marked(f"{n}.t", run.step(draw, millis, secret)))
        except TimeoutError:
            in_time = LATE
        won.append(await run.step(keep, [in_time]))
        await run.sleep(0.05)
    return won


@agent
async def deciding(run: AsyncRun, questions: int, seconds: float, secret: str) -> list[list[str]]:
    """Asks the same question in several tasks, beside a step and a heartbeat; every second task waits only for a time."""
    begin(run)

    async def one(n: int) -> list[str]:
        try:
            async with asyncio.timeout(seconds if n % 2 else None):
                said = await run.approve("May this continue?", details={"mark": str(n)}, on_deny="return")
        except TimeoutError:
            return await run.step(keep, [str(n), LATE, ""])
        return await run.step(keep, [str(n), "approved" if said else "denied", said.comment or ""])

    async with heartbeat():
        beside = asyncio.create_task(run.step(draw, 400, secret))
        answers = await asyncio.gather(*map(one, range(questions)))
        await beside
    return answers


@agent
async def listening(run: AsyncRun, words: int, secret: str) -> list[str]:
    """Receives words in separate tasks, some while it executes; each word reaches one task."""
    begin(run)

    async def one() -> str:
        [word] = await run.step(keep, [str(await run.wait_for("word"))])
        return f"{word}:{secret}"

    async with heartbeat():
        *heard, _ = await asyncio.gather(*(one() for _ in range(words)), run.step(draw, 500, secret))
    return sorted(heard)


@agent
async def mapping(run: AsyncRun, children: int, millis: int, secret: str) -> list[str]:
    """Starts children, some directly and some in tasks, and takes their results as they arrive, beside a step."""
    begin(run)
    inputs: list[dict[str, Any]] = [{"n": n, "millis": millis, "secret": secret} for n in range(1, children + 1)]

    async def born_in_task(given: dict[str, Any]) -> str:
        born = await run.spawn("child", given)
        return str(await born.result())

    async def born_together() -> list[str]:
        born = await run.map("child", inputs[2:], key=REST)
        return [await result for result in asyncio.as_completed([one.result() for one in born])]

    own, together, *single = await asyncio.gather(
        run.step(draw, millis, secret), born_together(), *map(born_in_task, inputs[:2])
    )
    return [own, *single, *sorted(together, key=lambda value: int(value.partition(":")[0]))]


@agent
async def tending(run: AsyncRun, millis: int, secret: str) -> list[str]:
    """Holds a resource while it waits for a word, and releases it in any case."""
    begin(run)
    held = await run.step(draw, millis, secret)
    try:
        async with heartbeat():
            word = await asyncio.shield(asyncio.create_task(run.wait_for("word")))
    finally:
        given_back = await run.cleanup(draw, millis, secret)
    return [held, f"{word}:{secret}", given_back]
