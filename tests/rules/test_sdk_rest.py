"""An event loop is at rest when nothing in it can go on before one of the run's waits is over, and at no other time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from taxiway.host.rest import at_rest

Wait = Callable[[], Awaitable[Any]]


async def _one(wait: Wait) -> None:
    await wait()


async def _gathered(wait: Wait) -> None:
    await asyncio.gather(wait(), wait(), return_exceptions=True)


async def _grouped(wait: Wait) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_one(wait))
        group.create_task(_gathered(wait))


async def _first_of(wait: Wait) -> None:
    await asyncio.wait([asyncio.ensure_future(wait()), asyncio.ensure_future(wait())], return_when="FIRST_COMPLETED")


async def _queued(wait: Wait) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def fill() -> None:
        await queue.put(await wait())

    await asyncio.gather(fill(), queue.get())


async def _locked(wait: Wait) -> None:
    lock = asyncio.Lock()

    async def hold() -> None:
        async with lock:
            await wait()

    await asyncio.gather(hold(), hold())


async def _beside(wait: Wait, other: Callable[[], Awaitable[Any]]) -> None:
    await asyncio.gather(wait(), other())


async def _thread() -> None:
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.4)


async def _socket() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def _busy() -> None:
    for _ in range(1_000_000):
        await asyncio.sleep(0)


RESTS = [_one, _gathered, _grouped, _first_of, _queued, _locked]
GOES_ON: dict[str, Callable[[], Awaitable[Any]]] = {
    "a timer": lambda: asyncio.sleep(30), "a thread": _thread, "a socket": _socket, "its own work": _busy,
}  # fmt: skip


def _rests(agent: Callable[[Wait], Awaitable[None]]) -> bool:
    """Say what `at_rest` says of a loop a moment after the agent began."""
    loop, waits, said = asyncio.new_event_loop(), set[Any](), []

    async def wait() -> None:
        future = loop.create_future()
        waits.add(future)
        await future

    async def main() -> None:
        await agent(wait)

    def look() -> None:
        said.append(at_rest(loop, waits))
        root.cancel()

    root = loop.create_task(main())
    loop.call_later(0.1, look)
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(root)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    return said == [True]


@pytest.mark.parametrize("agent", RESTS)
def test_tasks_that_wait_for_the_run_or_for_one_another_are_at_rest(agent: Callable[[Wait], Awaitable[None]]) -> None:
    assert _rests(agent)


@pytest.mark.parametrize("what", GOES_ON)
def test_what_may_go_on_any_moment_is_no_rest(what: str) -> None:
    assert not _rests(lambda wait: _beside(wait, GOES_ON[what]))
