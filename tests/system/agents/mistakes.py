"""Agents as beginners write them, each with one mistake, or with code that only looks like one; steps log their effects."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from taxiway import AsyncRun, Run, agent, step


def note(log: str, what: str) -> None:
    with Path(log).open("a") as file:
        file.write(f"{what}\n")


# A missing `await`.


def wipe(log: str) -> str:
    note(log, "wiped")
    return "wiped"


@step
async def wipe_too(log: str) -> str:
    return wipe(log)


@agent
async def sneaky(run: AsyncRun, log: str) -> str:
    run.approve("Really wipe production?")
    return await run.step(wipe, log)


@agent
async def sneaky_without_a_step(run: AsyncRun, log: str) -> str:
    run.approve("Really wipe production?")
    return wipe(log)


@agent
async def sneaky_if(run: AsyncRun, log: str) -> str:
    return wipe(log) if run.approve("Really wipe production?") else "kept"


@agent
async def sneaky_kept(run: AsyncRun, log: str) -> str:
    approved = run.approve("Really wipe production?")
    return wipe(log) if approved else "kept"


@agent
async def sneaky_answer(run: AsyncRun, log: str) -> str:
    decision: Any = run.approve("Really wipe production?")
    return wipe(log) if decision.approved else "kept"


@agent
async def sneaky_step(run: AsyncRun, log: str) -> str:
    run.step(wipe, log)
    return "wiped"


@agent
async def sneaky_call(run: AsyncRun, log: str) -> str:
    wipe_too(log)
    return "wiped"


# A plain call of a step.


@step
def charge(log: str, amount: int) -> int:
    note(log, f"charged {amount}")
    return 2 * amount


@step
async def fetch(log: str, amount: int) -> int:
    note(log, f"charged {amount}")
    return 2 * amount


@agent
def pays(run: Run, log: str) -> int:
    paid = charge(log, 1)
    run.approve("Go on?")
    return paid + charge(log, 2)


@agent
async def pays_too(run: AsyncRun, log: str) -> int:
    paid = await fetch(log, 1)
    await run.approve("Go on?")
    return paid + await fetch(log, 2)


# A return annotation that does not hold.


@dataclass
class Page:
    url: str
    words: int


class Order(BaseModel):
    id: int
    at: datetime


class Thing:
    pass


@step
def age(log: str) -> int:
    note(log, "asked")
    return "x"  # type: ignore[return-value]


@step
def config(log: str) -> dict:  # type: ignore[type-arg]
    note(log, "asked")
    return None  # type: ignore[return-value]


@step
def anything(log: str) -> Any:
    note(log, "asked")
    return {"thing": Thing()}


@agent
def ages(run: Run, log: str) -> int:
    return run.step(age, log) + 1


@agent
async def configures(run: AsyncRun, log: str) -> str:
    return (await run.step(config, log))["name"]  # type: ignore[no-any-return]


@agent
def finds(run: Run, log: str) -> Any:
    return run.step(anything, log)


@agent
def counts(run: Run, log: str) -> int:
    return "x"  # type: ignore[return-value]


@agent
async def lists(run: AsyncRun, log: str) -> dict:  # type: ignore[type-arg]
    return None  # type: ignore[return-value]


def load(log):  # type: ignore[no-untyped-def]
    note(log, "loaded")
    return {"at": datetime(2026, 1, 2, tzinfo=UTC), "order": Order(id=1, at=datetime(2026, 1, 2)), "page": Page("/", 3)}


def load_too(log: str) -> Any:
    return load(log)  # type: ignore[no-untyped-call]


@agent
def keeps(run: Run, log: str) -> str:
    loaded = [run.step(load, log), run.step(load_too, log)]
    run.approve("Go on?")
    return repr(loaded)


# Code that is not deterministic.


@agent
def drifts(run: Run, log: str) -> None:
    run.step(charge, log, amount=uuid.uuid4().int % 1000)
    run.approve("Go on?")


@agent
async def drifts_too(run: AsyncRun, log: str) -> None:
    await run.step(fetch, log, amount=uuid.uuid4().int % 1000)
    await run.approve("Go on?")


@agent
def drifts_in_a_prompt(run: Run, log: str) -> None:
    run.approve(f"Pay {uuid.uuid4().hex}?")
    run.step(wipe, log)


@agent
async def drifts_in_a_prompt_too(run: AsyncRun, log: str) -> None:
    await run.approve(f"Pay {uuid.uuid4().hex}?")
    await run.step(wipe, log)


# Options that do not exist.


@agent
def explodes(run: Run, log: str) -> None:
    run.approve("Really?", on_deny="explode")  # type: ignore[arg-type]
    run.step(wipe, log)


@agent
async def naps(run: AsyncRun, log: str) -> None:
    await run.sleep("banana")
    await run.step(wipe, log)


# What comes back as what it is.


@agent
def page_of(run: Run, url: str) -> Page:
    return Page(url, len(url))


@agent
def reads(run: Run, log: str) -> str:
    return repr(run.gather(*run.map(page_of, [{"url": "/a"}, {"url": "/bc"}])))


@agent
async def reads_too(run: AsyncRun, log: str) -> str:
    return repr(await run.gather(*await run.map(page_of, [{"url": "/a"}, {"url": "/bc"}])))


@agent
def corrects(run: Run, log: str) -> str:
    return repr(run.wait_for("corrected", schema=Page))


@agent
async def corrects_too(run: AsyncRun, log: str) -> str:
    return repr(await run.wait_for("corrected", schema=Page))
