"""Paths of tasks: the place of a call in an async agent, equal in every activation of the run.

The root task has the path `0`, and the n-th task that a task starts has `<its path>.<n>`. Tasks that a callback starts, such as
the handler of an incoming connection, are counted separately (`<path>.c<n>`), so that they do not move the paths of tasks that
the code starts in order. Tasks within steps have no path: a replay does not execute them.

Sets of tasks, such as those of `asyncio.wait` and of task groups, also have the same order in every activation: the hash of a
task is made from its path.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import zlib
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Final

from taxiway.inside import agent_code

ROOT: Final = "0"
LONGEST: Final = 80
"""Most characters of a path; a longer one is replaced by a digest, so that a key always fits."""


class _Position:
    """The path of a task, and the numbers of tasks that it has started."""

    def __init__(self, path: str, place: int = 0) -> None:
        self.path = path
        # In a set, siblings have the order in which they were started.
        self.hash = (zlib.crc32(path.rpartition(".")[0].encode()) << 12) + place
        self._tasks = 0
        self._callbacks = 0

    def next(self, *, by_callback: bool) -> _Position:
        if by_callback:
            self._callbacks += 1
            return _Position(_short(f"{self.path}.c{self._callbacks}"), self._callbacks)
        self._tasks += 1
        return _Position(_short(f"{self.path}.{self._tasks}"), self._tasks)


class AgentTask(asyncio.Task[Any]):
    """A task of the agent's own code or of a step. `on_cancel` is called for each request to cancel it."""

    def __init__(self, coroutine: Any, *, place: int | None = None, **options: Any) -> None:
        self._place = place
        self.on_cancel: Callable[[], None] | None = None
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return id(self) >> 4 if self._place is None else self._place

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task, as usual."""
        if self.on_cancel is not None and not self.done():
            self.on_cancel()
        return super().cancel(msg)


_MAKE_EAGER: Final = "create_eager_task_factory"  # since Python 3.12
_eager: Final = getattr(asyncio, "eager_task_factory", object())  # since Python 3.12
_position: Final[ContextVar[_Position | None]] = ContextVar("taxiway_path", default=None)


class TaskPaths:
    """The paths of the tasks of one activation. It is the task factory of its loop, and used by that thread only."""

    def __init__(self) -> None:
        self._positions: dict[int, tuple[Any, _Position]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.inner: Callable[..., Any] | None = None
        """The factory that the agent's code has set, such as `asyncio.eager_task_factory`."""

    def here(self) -> str:
        """Return the path of the code that runs now."""
        position, by_callback = self._now()
        if position is None:
            return f"{ROOT}.c"
        return _short(f"{position.path}.c") if by_callback else position.path

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        """Make a task and record its path."""
        if not agent_code.get() and self._positions:
            return self._made(loop, coroutine, options, None)
        parent, by_callback = self._now()
        position = _Position(ROOT) if parent is None else parent.next(by_callback=by_callback)
        if self.inner is None and options.get("context") is None:
            options["context"] = copy_context()
            options["context"].run(_position.set, position)
        mine = id(coroutine)
        self._positions[mine] = (coroutine, position)  # the reference keeps the id from being reused
        task = self._made(loop, coroutine, options, position.hash)
        task.add_done_callback(lambda _: self._positions.pop(mine, None))
        return task

    def _made(self, loop: asyncio.AbstractEventLoop, coroutine: Any, options: dict[str, Any], place: int | None) -> Any:
        if self.inner is None:
            return AgentTask(coroutine, loop=loop, place=place, **options)
        if self.inner is _eager:
            made: Any = getattr(asyncio, _MAKE_EAGER)(functools.partial(AgentTask, place=place))
            return made(loop, coroutine, **options)
        return self.inner(loop, coroutine, **options)

    def _now(self) -> tuple[_Position | None, bool]:
        task = asyncio.current_task(self.loop)
        if task is None:
            return _position.get(), True
        _, position = self._positions.get(id(task.get_coro()), (None, None))
        return (_position.get() if position is None else position), False


def _short(path: str) -> str:
    if len(path) <= LONGEST:
        return path
    return f"{ROOT}~{hashlib.sha256(path.encode()).hexdigest()[:24]}"
