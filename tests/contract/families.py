"""Agents that start children, and the children."""

from __future__ import annotations

import asyncio
from typing import Any

from taxiway import AsyncRun, ChildFailed, Run, agent


def twice(n: int) -> int:
    if n < 0:
        raise ValueError("negative")
    return 2 * n


@agent
def double(run: Run, n: int) -> int:
    return run.step(twice, n)


@agent
def patient(run: Run, word: str) -> Any:
    run.sleep(0.2)
    return run.wait_for(word)


@agent
def parent(run: Run) -> Any:
    child = run.spawn(double, {"n": 4}, key="only")
    run.using(name="between").step(str, 1)
    return [child.agent, child.result()]


@agent
def spread(run: Run, numbers: list[int], return_errors: bool = False) -> Any:
    got = run.gather(*run.map("double", [{"n": n} for n in numbers]), return_errors=return_errors)
    return [[value.status, (value.error or {})["code"]] if isinstance(value, ChildFailed) else value for value in got]


@agent
def racing(run: Run) -> Any:
    slow, fast = run.spawn(patient, {"word": "never"}), run.spawn(double, {"n": 5})
    return list(run.first(slow, fast))


@agent
def mixed_family(run: Run) -> Any:
    child, other = run.child("double", {"n": 1}), run.spawn("double", {"n": 2})
    return [
        run.gather(child, run.child(other), run.timer(0.1), run.approval("All?", on_deny="return"))[:2],
        run.first(child).value,
    ]


@agent
def wrong_input(run: Run) -> Any:
    try:
        return run.spawn(double, {"m": 1}).result()
    except ChildFailed as failed:
        return [failed.status, (failed.error or {})["code"]]


@agent
async def spread_async(run: AsyncRun) -> Any:
    children = await run.map("double", [{"n": n} for n in range(4)])
    one, two = await asyncio.gather(run.spawn("double", {"n": 100}), run.spawn("double", {"n": 100}))
    return [sum(await run.gather(*children)), await one, await two, one.run_id != two.run_id]


@agent
def countdown(run: Run, n: int) -> Any:
    if n == 0:
        return "lift-off"
    run.sleep(0.05)
    return run.restart(n=n - 1)


@agent
def launch(run: Run) -> Any:
    return run.spawn(countdown, {"n": 2}).result()
