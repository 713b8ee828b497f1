"""An agent that follows its input: any sequence of steps, waits of every kind, tools and children."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import taxiway
from taxiway import AsyncRun, Retry, Run, agent


def trace(log: str, what: str) -> str:
    """Leave a trace outside of Taxiway."""
    with Path(log).open("a") as file:
        file.write(f"{what}\n")
    return what


def stumble(log: str, what: str) -> str:
    """Fail at the first attempt."""
    trace(log, what)
    if Path(log).read_text().splitlines().count(what) < 2:
        raise ValueError("stumbled")
    return what


def fail(what: str) -> str:
    """Fail always."""
    raise ValueError(what)


@agent
def scripted(run: Run, log: str, script: list[Any]) -> list[Any]:
    return [perform(run, log, op) for op in script]


def perform(run: Run, log: str, op: list[Any]) -> Any:
    """Execute one item; a caught error is its result, as in a careful agent."""
    try:
        match op:
            case ["step", what]:
                return run.step(trace, log, what)
            case ["stumble", what]:
                return run.using(retry=Retry(2, initial=0.01)).step(stumble, log, what)
            case ["fail", what]:
                return run.step(fail, what)
            case ["tool", what, on_deny]:
                return run.using(name="tool", tool=True, on_deny=on_deny).step(trace, log, what)
            case ["child", script]:
                return run.spawn(scripted, {"log": log, "script": script}).result()
            case ["first", waits]:
                index, value = run.first(*(described(run, wait) for wait in waits))
                return [index, plain(value)]
            case ["gather", waits]:
                return [plain(value) for value in run.gather(*(described(run, wait) for wait in waits))]
            case wait:
                return plain(run.gather(described(run, wait))[0])
    except taxiway.TaxiwayError as error:
        return type(error).__name__


@agent
async def scripted_async(run: AsyncRun, log: str, script: list[Any]) -> list[Any]:
    return [await perform_async(run, log, op) for op in script]


async def perform_async(run: AsyncRun, log: str, op: list[Any]) -> Any:
    """Execute one item, as `perform` does; or several in concurrent tasks."""
    try:
        match op:
            case [("together" | "group") as how, script]:
                return await in_tasks(how, [perform_async(run, log, one) for one in script])
            case ["step", what]:
                return await run.step(trace, log, what)
            case ["stumble", what]:
                return await run.using(retry=Retry(2, initial=0.01)).step(stumble, log, what)
            case ["fail", what]:
                return await run.step(fail, what)
            case ["tool", what, on_deny]:
                return await run.using(name="tool", tool=True, on_deny=on_deny).step(trace, log, what)
            case ["child", script]:
                return await (await run.spawn(scripted_async, {"log": log, "script": script}))
            case ["first", waits]:
                index, value = await run.first(*(described(run, wait) for wait in waits))
                return [index, plain(value)]
            case ["gather", waits]:
                return [plain(value) for value in await run.gather(*(described(run, wait) for wait in waits))]
            case wait:
                return plain((await run.gather(described(run, wait)))[0])
    except taxiway.TaxiwayError as error:
        return type(error).__name__


async def in_tasks(how: str, work: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Execute all items concurrently."""
    if how == "together":
        return await asyncio.gather(*work)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


def described(run: Run | AsyncRun, wait: list[Any]) -> taxiway.Wait:
    """Return the description of a wait."""
    match wait:
        case ["sleep", seconds]:
            return run.timer(seconds)
        case ["signal", name, timeout]:
            return run.signal(name, timeout=timeout)
        case ["approve", prompt, on_deny, timeout]:
            return run.approval(prompt, on_deny=on_deny, timeout=timeout)
    raise ValueError(wait)


def plain(value: Any) -> Any:
    """Return the outcome of a wait as JSON."""
    return value.approved if isinstance(value, taxiway.Decision) else value
