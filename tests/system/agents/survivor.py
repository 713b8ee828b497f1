"""An async agent that chains two steps over many items, and whose first activation never ends by itself."""

from __future__ import annotations

import asyncio
import random

from effects import note
from taxiway import AsyncRun, agent, step_info

SLOWEST = 0.25


async def first(log: str, run: str, activation: int, item: int) -> int:
    await _effect(log, run, activation)
    return item * 2


async def second(log: str, run: str, activation: int, item: int) -> int:
    await _effect(log, run, activation)
    return item + 1


@agent
async def survivor(run: AsyncRun, log: str, items: int) -> list[int]:
    """Chain two steps over the items, all at once."""
    note(log, "agent", run.id, run.activation)

    async def chain(item: int) -> int:
        doubled = await run.using(name=f"first {item}").step(first, log, run.id, run.activation, item)
        return await run.using(name=f"second {item}").step(second, log, run.id, run.activation, doubled)

    results = await asyncio.gather(*map(chain, range(items)))
    if run.activation == 1:
        await asyncio.Event().wait()
    return results


async def _effect(log: str, run: str, activation: int) -> None:
    key = step_info().key
    note(log, "begin", run, activation, key=key)
    await asyncio.sleep(random.uniform(0, SLOWEST))
    note(log, "end", run, activation, key=key)
