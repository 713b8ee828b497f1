"""Async agents that wait beside the usual content of an event loop: shields, futures, groups, heartbeats, sockets, timers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from effects import note
from taxiway import AsyncRun, agent

BEAT = 0.1


def awaits(run: AsyncRun, log: str) -> None:
    """Note the time of the await that follows."""
    note(log, "awaits", run.id, run.activation, at=time.time())


async def approved(run: AsyncRun, log: str, prompt: str) -> bool:
    awaits(run, log)
    return (await run.approve(prompt, on_deny="return")).approved


@asynccontextmanager
async def heartbeat() -> AsyncIterator[None]:
    async def beat() -> None:
        while True:  # noqa: ASYNC110 - agents are written so
            await asyncio.sleep(BEAT)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


@agent
async def in_shield(run: AsyncRun, log: str) -> bool:
    return await asyncio.shield(approved(run, log, "Shielded?"))


@agent
async def in_future(run: AsyncRun, log: str) -> bool:
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def ask() -> None:
        future.set_result(await approved(run, log, "Future?"))

    task = asyncio.create_task(ask())
    value = await future
    await task
    return value


@agent
async def in_anyio(run: AsyncRun, log: str) -> bool:
    said: list[bool] = []

    async def ask() -> None:
        said.append(await approved(run, log, "Anyio?"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
    return said[0]


@agent
async def beside_heartbeat(run: AsyncRun, log: str) -> bool:
    async with heartbeat():
        return await approved(run, log, "Heartbeat?")


@agent
async def beside_socket(run: AsyncRun, log: str) -> bool:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    listening = asyncio.create_task(reader.read(1))
    try:
        return await approved(run, log, "Socket?")
    finally:
        listening.cancel()
        writer.close()
        server.close()


@agent
async def in_time(run: AsyncRun, log: str, seconds: float, beats: bool = False) -> str:
    """Ask, and give up after some time; record the time-out in a step."""
    try:
        async with asyncio.timeout(seconds):
            if not beats:
                return f"approved {await approved(run, log, 'In time?')}"
            async with heartbeat():
                return f"approved {await approved(run, log, 'In time?')}"
    except TimeoutError:
        await run.step(given_up, run.id, log)
        return "late"


async def given_up(run: str, log: str) -> None:
    note(log, "late", run, 0, at=time.time())


async def endless(run: str, log: str) -> str:
    note(log, "begun", run, 0, at=time.time())
    await asyncio.sleep(3600)
    return "never"


def fallback() -> str:
    return "fallback"


@agent
async def with_fallback(run: AsyncRun, log: str) -> str:
    """Abandon a step and do something else; a question keeps the run from its end."""
    try:
        async with asyncio.timeout(0.3):
            return await run.step(endless, run.id, log)
    except TimeoutError:
        way = await run.step(fallback)
    return f"{way} {await approved(run, log, 'Go on?')}"


@agent
async def working(run: AsyncRun, log: str, gate: str) -> str:
    """Ask beside a step that lasts until a file exists; a heartbeat continues all the time."""
    async with heartbeat():
        asked = asyncio.create_task(approved(run, log, "While it works?"))
        await run.step(wait_for_file, gate)
        return f"worked, approved {await asked}"


async def wait_for_file(gate: str) -> None:
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - no signal to wait on
        await asyncio.sleep(0.01)
