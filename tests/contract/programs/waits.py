"""Parts of a program in which the run waits: for people, signals, times and other runs."""

from __future__ import annotations

import asyncio
from typing import Any

from taxiway import Wait

from . import carrying
from .carrying import LIKE_ERRORS, Program, own, seconds
from .node import Node


async def approve(program: Program, node: Node) -> Any:
    """Ask people for approval."""
    decision = await program.run.approve(node.label, on_deny="return", timeout=seconds(node))
    return [decision.approved, own(node.label, {"to": decision.comment or node.label, "what": decision.by})]


async def signal(program: Program, node: Node) -> Any:
    """Wait for a signal."""
    return own(node.label, await program.run.wait_for(node.label, timeout=seconds(node)))


async def sleep(program: Program, node: Node) -> Any:
    """Sleep."""
    return await program.run.sleep(seconds(node))


async def pause(program: Program, node: Node) -> Any:
    """Pause until a person resumes the run."""
    return await program.run.pause(node.label, timeout=seconds(node))


async def spawn(program: Program, node: Node) -> Any:
    """Start another run, and await it."""
    child = await program.run.spawn("other", {"label": node.label})
    return own(node.label, await child)


async def fan(program: Program, node: Node) -> Any:
    """Start several other runs, and await them one by one or all together."""
    children = await program.run.map("other", [{"label": f"{node.label}/{n}"} for n in range(node.options["many"])])
    if not node.options["as_they_come"]:
        ends = await program.run.gather(*children, return_errors=True)
        return [_end(f"{node.label}/{place}", end) for place, end in enumerate(ends)]

    async def one(place: int) -> Any:
        try:
            return [place, own(f"{node.label}/{place}", await children[place])]
        except LIKE_ERRORS as error:
            return [place, type(error).__name__]

    return [await end for end in asyncio.as_completed([one(place) for place in range(len(children))])]


async def together(program: Program, node: Node) -> Any:
    """Wait for several things together: all of them."""
    ends = await program.run.gather(*_several(program, node), return_errors=True)
    return [_end(f"{node.label}/{place}", end) for place, end in enumerate(ends)]


async def first(program: Program, node: Node) -> Any:
    """Wait for the first of several things, and then perhaps for the others."""
    waits = _several(program, node)
    index, value = await program.run.first(*waits)
    if not node.options["rest"]:
        return [index, _end(f"{node.label}/{index}", value)]
    ends = await program.run.gather(*waits, return_errors=True)
    return [index, *(_end(f"{node.label}/{place}", end) for place, end in enumerate(ends))]


def _several(program: Program, node: Node) -> list[Wait]:
    run, label = program.run, node.label
    made = {
        "signal": lambda n: run.signal(f"{label}/{n}"),
        "timer": lambda n: run.timer((3 + n) * carrying.scale),
        "approval": lambda n: run.approval(f"{label}/{n}", on_deny="return"),
        "child": lambda n: run.child("other", {"label": f"{label}/{n}"}),
    }
    return [made[kind](n) for n, kind in enumerate(node.options["kinds"])]  # type: ignore[misc]


def _end(label: str, value: Any) -> Any:
    if isinstance(value, Exception):
        return type(value).__name__
    if isinstance(value, dict) and "to" in value:
        return own(label, value)
    return getattr(value, "by", value)
