"""Sequential agents of the load. Each begin and end of a step is written immediately to a log outside the system.

`secret` is part of inputs and values; the checks search for it where no payload may be.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

from taxiway import AsyncRun, Retry, Run, agent, step, step_info

from ops.chaos.effect_log import at, note, say

TICK = 0.2
DIE_AFTER = 2
BULK = 200_000


def work(n: int, millis: int, secret: str) -> str:
    say("begin")
    until = time.monotonic() + millis / 1000
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, TICK))
        say("tick")
    say("end")
    return f"{n}:{secret}"


async def await_work(n: int, millis: int, secret: str) -> str:
    say("begin")
    until = time.monotonic() + millis / 1000
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, TICK))
        say("tick")
    say("end")
    return f"{n}:{secret}"


@step(retry=Retry(attempts=4, initial="0.05s", factor=1))
def stumble(times: int, secret: str) -> str:
    say("begin")
    time.sleep(0.05)
    say("end")
    if step_info().attempt <= times:
        raise ValueError("stumbled")
    return secret


@step(once=True)
def pay(n: int, millis: int, secret: str) -> str:
    return work(n, millis, secret)


def bulk(n: int, size: int, secret: str) -> str:
    say("begin")
    say("end")
    return f"{n}:{secret}" + "x" * size


@agent
def tiny(run: Run, secret: str) -> list[str]:
    """One step, without a wait."""
    at(run)
    return [run.step(work, 0, 0, secret)]


@agent
def sequence(run: Run, steps: int, millis: int, secret: str) -> list[str]:
    """Sequential steps; a long one logs that it still runs."""
    at(run)
    return [run.step(work, n, millis, secret) for n in range(steps)]


@agent
async def fan_out(run: AsyncRun, items: int, millis: int, secret: str) -> list[str]:
    """Two steps for each item, all items concurrently."""
    at(run)

    async def chain(n: int) -> str:
        await run.step(await_work, n, millis, secret)
        return await run.step(await_work, n + 1000, millis, secret)

    return await asyncio.gather(*map(chain, range(items)))


@agent
def flaky(run: Run, times: int, secret: str) -> list[str]:
    """A step that fails a number of times; with four or more, for good."""
    at(run)
    return [run.step(work, 0, 50, secret), run.step(stumble, times, secret)]


@agent
def only_once(run: Run, millis: int, secret: str) -> list[str]:
    """Three steps; the middle one must never begin twice."""
    at(run)
    return [run.step(work, 0, 50, secret), run.step(pay, 1, millis, secret), run.step(work, 2, 50, secret)]


@agent
def bulky(run: Run, steps: int, secret: str) -> list[str]:
    """Values that are recorded separately and read one by one."""
    at(run)
    values = [run.step(bulk, n, BULK, secret) for n in range(steps)]
    run.step(work, 0, 300, secret)
    return [value.rstrip("x") for value in values]


@agent
def turncoat(run: Run, secret: str) -> list[str]:
    """Kills its own host, restarts with other code, which must be parked, and then with the right code."""
    at(run)
    if run.activation % 2 == 0:
        run.step(work, 99, 0, secret)
    values = [run.step(work, n, 50, secret) for n in range(DIE_AFTER)]
    if run.activation == 1:
        note("suicide")
        os.killpg(0, signal.SIGKILL)
    return [*values, run.step(work, DIE_AFTER, 50, secret)]


@agent
def asking(run: Run, questions: int, secret: str) -> list[str]:
    """A step after each answered question; a denial cancels the run."""
    at(run)
    values = [run.step(work, 0, 20, secret)]
    for n in range(1, questions + 1):
        run.approve(f"Continue with {n}?", details={"n": n})
        values.append(run.step(work, n, 50, secret))
    return values


@agent
def hearing(run: Run, words: int, secret: str) -> list[str]:
    """A step after each received word; some words arrive before it waits for them."""
    at(run)
    first = run.step(work, 0, 100, secret)
    return [first, *(run.step(work, run.wait_for("word"), 20, secret) for _ in range(words))]


@agent
def napping(run: Run, naps: int, millis: int, secret: str) -> list[str]:
    """Sleeps between its steps, parked."""
    at(run)
    values = [run.step(work, 0, 20, secret)]
    for n in range(1, naps + 1):
        run.sleep(millis / 1000)
        values.append(run.step(work, n, 20, secret))
    return values


@agent
def family(run: Run, children: int, millis: int, secret: str) -> list[str]:
    """Starts child runs after a step of its own, and needs the result of each."""
    at(run)
    own = run.step(work, 0, 20, secret)
    inputs = [{"n": n, "millis": millis, "secret": secret} for n in range(1, children + 1)]
    return [own, *run.gather(*run.map(child, inputs))]


@agent
def child(run: Run, n: int, millis: int, secret: str) -> str:
    """One step, for the parent run."""
    at(run)
    return run.step(work, n, millis, secret)


@agent
def polling(run: Run, after: int, naps: int, millis: int, secret: str) -> str:
    """Sleeps for long, then polls for work; for drills."""
    run.sleep(after / 1000)
    for _ in range(naps):
        run.sleep(millis / 1000)
    return secret


@agent
async def either(run: AsyncRun, secret: str) -> list[str]:
    """Waits for a word and a timer concurrently, beside a step, and needs both."""
    at(run)

    async def heard() -> str:
        return await run.step(await_work, await run.wait_for("word"), 20, secret)

    async def slept() -> str:
        await run.sleep(0.5)
        return await run.step(await_work, 2, 20, secret)

    return list(await asyncio.gather(run.step(await_work, 0, 300, secret), heard(), slept()))
