"""An async agent that chains two steps over many items, and whose first activation never ends by itself."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from effects import note
from taxiway import AsyncRun, agent, step_info

SLOWEST = 0.25
# What the steps write into their lines; not an argument, because a replay matches steps by their arguments.
here: dict[str, Any] = {}


async def first(item: int) -> int:
    await _effect()
    return item * 2


async def second(doubled: int) -> int:
    await _effect()
    return doubled + 1


@agent
async def survivor(run: AsyncRun, log: str, items: int) -> list[int]:
    """Chain two steps over all items concurrently."""
    here.update(log=log, run=run.id, activation=run.activation)
    note(**here, what="agent")

    async def chain(item: int) -> int:
        return await run.step(second, await run.step(first, item))

    results = await asyncio.gather(*map(chain, range(items)))
    if run.activation == 1:
        await asyncio.Event().wait()
    return results


async def _effect() -> None:
    note(**here, what="begin", key=step_info().key)
    await asyncio.sleep(random.uniform(0, SLOWEST))
    note(**here, what="end", key=step_info().key)
