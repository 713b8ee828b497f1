"""Parts of a program that combine others, with the means of asyncio and anyio."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio

from . import carrying
from .carrying import Program, number, seconds
from .node import Node


async def seq(program: Program, node: Node) -> Any:
    """Execute the parts one after the other."""
    return [await program.go(part) for part in node.parts]


async def branch(program: Program, node: Node) -> Any:
    """Execute one of two parts, chosen by the value of another."""
    decides, *ways = node.parts
    return await program.go(ways[number(await program.go(decides)) % len(ways)])


async def gather(program: Program, node: Node) -> Any:
    """Execute the parts concurrently."""
    return list(await asyncio.gather(*map(program.go, node.parts)))


async def group(program: Program, node: Node) -> Any:
    """Execute the parts concurrently, as children of a task group."""
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(program.go(part)) for part in node.parts]
    return [task.result() for task in made]


async def as_completed(program: Program, node: Node) -> Any:
    """Execute the parts concurrently, and take them in the order of their ends."""
    return [await end for end in asyncio.as_completed([_with_place(program, part) for part in node.parts])]


async def race(program: Program, node: Node) -> Any:
    """Take the first part that ends; the others are given up, or taken later."""
    tasks = [asyncio.create_task(_with_place(program, part)) for part in node.parts]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    won = sorted(repr(task.result()) for task in done)
    carrying.outside.log(f"{node.label} won", won)
    for task in pending if node.options["give_up"] else ():
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [won, [_told(end) for end in ends]]


async def timeout(program: Program, node: Node) -> Any:
    """Execute a part with a time limit."""
    most, how, (part,) = seconds(node), node.options["how"], node.parts
    try:
        if how == "timeout":
            async with asyncio.timeout(most):
                return await program.go(part)
        if how == "wait_for":
            return await asyncio.wait_for(program.go(part), most)
        if how == "anyio":
            with anyio.fail_after(most):
                return await program.go(part)
    except TimeoutError:
        return "too late"
    task = asyncio.create_task(program.go(part))
    rounds = 0
    while not (await asyncio.wait([task], timeout=most))[0] and rounds < node.options["rounds"]:
        rounds += 1
    task.cancel()
    return [rounds, *map(_told, await asyncio.gather(task, return_exceptions=True))]


async def shield(program: Program, node: Node) -> Any:
    """Stop waiting for a part after a time limit, and take it after all."""
    task = asyncio.create_task(program.go(node.parts[0]))
    try:
        return await asyncio.wait_for(asyncio.shield(task), seconds(node))
    except TimeoutError:
        return ["late", await task]
    finally:
        task.cancel()


async def give_up(program: Program, node: Node) -> Any:
    """Cancel a part when another one has ended."""
    task = asyncio.create_task(program.go(node.parts[0]))
    came = await program.go(node.parts[1])
    task.cancel()
    return [came, *map(_told, await asyncio.gather(task, return_exceptions=True))]


async def tidy(program: Program, node: Node) -> Any:
    """Execute a part with a time limit, and another part after any outcome of it."""
    try:
        async with asyncio.timeout(seconds(node)):
            return await program.go(node.parts[0])
    except TimeoutError:
        return "too late"
    finally:
        await program.go(node.parts[1])


async def queue(program: Program, node: Node) -> Any:
    """Pass the values through a queue, in the order of the ends."""
    items: asyncio.Queue[Any] = asyncio.Queue(node.options["size"])

    async def put(part: Node) -> None:
        await items.put([part.label, await program.go(part)])

    async with asyncio.TaskGroup() as tasks:
        for part in node.parts:
            tasks.create_task(put(part))
        return [await items.get() for _ in node.parts]


async def locked(program: Program, node: Node) -> Any:
    """Execute a limited number of parts at a time."""
    lock = asyncio.Lock() if node.options["many"] == 1 else asyncio.Semaphore(node.options["many"])

    async def one(part: Node) -> Any:
        async with lock:
            return await program.go(part)

    return list(await asyncio.gather(*map(one, node.parts)))


async def event(program: Program, node: Node) -> Any:
    """Execute the first part, and then the others behind an event."""
    came, (before, *behind) = asyncio.Event(), node.parts

    async def one(part: Node) -> Any:
        await came.wait()
        return await program.go(part)

    tasks = [asyncio.create_task(one(part)) for part in behind]
    value = await program.go(before)
    came.set()
    return [value, *await asyncio.gather(*tasks)]


async def condition(program: Program, node: Node) -> Any:
    """Execute the parts concurrently; each observer sees them in the order of their ends."""
    changed, there = asyncio.Condition(), list[Any]()

    async def one(part: Node) -> None:
        value = await program.go(part)
        async with changed:
            there.append([part.label, value])
            changed.notify_all()

    async with asyncio.TaskGroup() as tasks:
        for part in node.parts:
            tasks.create_task(one(part))
        async with changed:
            await changed.wait_for(lambda: len(there) == len(node.parts))
            return list(there)


async def future(program: Program, node: Node) -> Any:
    """Execute a part with a plain future and a callback."""
    loop = asyncio.get_running_loop()
    plain: asyncio.Future[Any] = loop.create_future()
    task = asyncio.create_task(program.go(node.parts[0]))

    def hand_on(done: asyncio.Task[Any]) -> None:
        if plain.done():
            return
        if done.cancelled():
            plain.cancel()
        elif (error := done.exception()) is not None:
            plain.set_exception(error)
        else:
            plain.set_result(done.result())

    task.add_done_callback(hand_on)
    try:
        return await plain
    finally:
        task.cancel()


async def anyio_group(program: Program, node: Node) -> Any:
    """Execute the parts concurrently with anyio, take them in the order of their ends, perhaps with a time limit."""
    came: list[Any] = []

    async def one(part: Node) -> None:
        came.append([part.label, await program.go(part)])

    with anyio.move_on_after(seconds(node)) as scope:
        async with anyio.create_task_group() as tasks:
            for part in node.parts:
                tasks.start_soon(one, part)
    return [came, scope.cancelled_caught]


async def beside_beats(program: Program, node: Node) -> Any:
    """Execute a part beside a heartbeat whose beats are counted."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(seconds(node))
            beats += 1

    heart = asyncio.create_task(beat())
    try:
        return [await program.go(node.parts[0]), beats]
    finally:
        heart.cancel()


def _with_place(program: Program, part: Node) -> Coroutine[Any, Any, Any]:
    async def one() -> Any:
        return [part.label, await program.go(part)]

    return one()


def _told(end: Any) -> Any:
    if isinstance(end, asyncio.CancelledError):
        return "given up"
    if isinstance(end, BaseException):
        raise end
    return end
