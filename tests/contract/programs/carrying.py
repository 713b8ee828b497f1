"""Execution of a program as the body of an async agent; its result contains the order of everything it received.

Real agent hosts import it too, so it imports only the standard library, the SDK and its neighbours.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, Protocol

from taxiway import AsyncRun, ChildFailed, Retry, StepFailed, WaitTimeout, step_info

from .node import Node
from .values import MAKERS, shown

LIKE_ERRORS = (StepFailed, WaitTimeout, ChildFailed)


class Outside(Protocol):
    """The surroundings of an execution."""

    async def reach(self) -> None:
        """Return when the calling step may have its effect, which it then has."""

    def reach_in_thread(self) -> None:
        """Do the same for a step in a thread."""

    def log(self, label: str, what: Any) -> None:
        """Record a result of the agent's code."""


class Swapped(AssertionError):
    """A call received another call's value."""


scale = 1.0
"""Seconds that a second of a program takes."""
outside: Outside = None  # type: ignore[assignment] # set before anything is executed
"""Of the execution that runs in this process now."""


async def fetch(label: str, arg: Any, fails: int) -> list[str]:
    """Run a step in the loop."""
    await outside.reach()
    return _done(label, arg, fails)


def store(label: str, arg: Any, fails: int) -> list[str]:
    """Run a step in a thread."""
    outside.reach_in_thread()
    return _done(label, arg, fails)


def _done(label: str, arg: Any, fails: int) -> list[str]:
    if step_info().attempt <= fails:
        raise ValueError(label)
    return [label, shown(arg)]


def number(value: Any) -> int:
    """Return a number that depends on a value and is the same in every process."""
    return zlib.crc32(repr(value).encode())


def seconds(node: Node) -> Any:
    """Return the seconds of a part; None if it has no limit."""
    said = node.options["seconds"]
    return None if said is None else said * scale


def own(label: str, value: Any) -> Any:
    """Return a value that names its call; raise Swapped for the value of another call."""
    if value["to"] != label:
        raise Swapped(f"{label} was given what {value['to']} was to get")
    return value["what"]


class Program:
    """One execution of a program by an agent."""

    def __init__(self, run: AsyncRun) -> None:
        self.run = run

    async def go(self, node: Node) -> Any:
        """Execute a part, and record its result."""
        from . import waits, weaving  # noqa: PLC0415 - they import this module

        carry = getattr(self, f"_{node.kind}", None) or getattr(weaving, node.kind, None) or getattr(waits, node.kind)
        try:
            value = await (carry(node) if hasattr(self, f"_{node.kind}") else carry(self, node))
        except LIKE_ERRORS as error:
            value = type(error).__name__
        outside.log(node.label, value)
        return value

    async def _step(self, node: Node) -> Any:
        options, (arg, fails) = dict(node.options), (node.options["arg"], node.options["fails"])
        function = fetch if options["loop"] else store
        retry = (
            Retry(options["attempts"], initial=options["delay"] * scale, jitter=0) if options["attempts"] > 1 else None
        )
        name = f"pinned {node.label}" if options["pinned"] else None
        using = self.run.using(name=name, retry=retry)
        value = MAKERS[arg](number(node.label) % 97)
        given: list[str] = await using.step(function, node.label, value, fails)
        return own(node.label, {"to": given[0], "what": given[1]})

    async def _emit(self, node: Node) -> Any:
        await self.run.emit("told", {"by": node.label}, durable=True)
        return "told"

    async def _rest(self, node: Node) -> Any:
        await asyncio.sleep(seconds(node))
        return "rested"
