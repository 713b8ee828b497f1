"""Says when an event loop is at rest: every task waits, at the end of the chain, for something that only the run can bring.

A task may wait for another task, or for what only another task will set: a lock, a queue, a task group. It is not at rest
while it waits for a timer, a socket, a thread or a subprocess, since these may wake it any moment.
"""

from __future__ import annotations

import asyncio
from asyncio import locks, queues, taskgroups, tasks
from collections.abc import Container
from types import CodeType, FrameType
from typing import Any, Final

_GATHERING: Final[type] = getattr(tasks, "_GatheringFuture")  # noqa: B009 - what `asyncio.gather` returns
_AMONG_TASKS: Final = frozenset(module.__file__ for module in (locks, queues, taskgroups, tasks))


def at_rest(loop: asyncio.AbstractEventLoop, waits: Container[Any]) -> bool:
    """Say whether nothing can go on in the loop before one of the futures `waits` is done."""
    ready, timers = getattr(loop, "_ready"), getattr(loop, "_scheduled")  # noqa: B009 - asyncio tells it in no other way
    if ready or any(not timer.cancelled() for timer in timers):
        return False
    return all(_rests(task, waits) for task in asyncio.all_tasks(loop))


def _rests(task: asyncio.Task[Any], waits: Container[Any]) -> bool:
    awaited = getattr(task, "_fut_waiter", None)
    if awaited is None:
        return False
    if awaited in waits or isinstance(awaited, asyncio.Task | _GATHERING):
        return True
    code = _innermost(task.get_coro())
    return code is not None and code.co_filename in _AMONG_TASKS


def _innermost(coroutine: Any) -> CodeType | None:
    """Return the code in which a suspended coroutine waits."""
    code = None
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return code
