"""Where in an async agent a call stands: the path of its task, the same in every activation of the run.

The root task has the path `0`, the n-th task that a task starts `<its path>.<n>`. What a callback starts, such as the handler of
a connection that somebody opens, is counted apart (`<path>.c<n>`), so that it moves no path of what the code starts in order.
Tasks within steps have none: a replay does not execute them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Final

from taxiway.inside import agent_code

ROOT: Final = "0"
LONGEST: Final = 80
"""Characters from which on a path is shortened to a digest, so that a key always fits."""


class _Stand:
    """The path of a task, and how many it has started."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._tasks = 0
        self._callbacks = 0

    def next(self, *, by_callback: bool) -> str:
        if by_callback:
            self._callbacks += 1
            return _short(f"{self.path}.c{self._callbacks}")
        self._tasks += 1
        return _short(f"{self.path}.{self._tasks}")


_standing: Final[ContextVar[_Stand | None]] = ContextVar("taxiway_path", default=None)


class TaskPaths:
    """The paths of the tasks of one activation; it is the task factory of its loop."""

    def __init__(self) -> None:
        self._stands: dict[int, tuple[Any, _Stand]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.inner: Callable[..., Any] | None = None
        """The factory that the agent's code has set, such as `asyncio.eager_task_factory`."""

    def here(self) -> str:
        """Return the path of what runs now."""
        stand, by_callback = self._now()
        if stand is None:
            return f"{ROOT}.c"
        return _short(f"{stand.path}.c") if by_callback else stand.path

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        """Make a task, and note its path."""
        if not agent_code.get() and self._stands:
            return self._made(loop, coroutine, options)
        parent, by_callback = self._now()
        stand = _Stand(ROOT if parent is None else parent.next(by_callback=by_callback))
        if self.inner is None and options.get("context") is None:
            options["context"] = copy_context()
            options["context"].run(_standing.set, stand)
        mine = id(coroutine)
        self._stands[mine] = (coroutine, stand)  # which keeps the number from being given to another one
        task = self._made(loop, coroutine, options)
        task.add_done_callback(lambda _: self._stands.pop(mine, None))
        return task

    def _made(self, loop: asyncio.AbstractEventLoop, coroutine: Any, options: dict[str, Any]) -> Any:
        if self.inner is not None:
            return self.inner(loop, coroutine, **options)
        return asyncio.Task(coroutine, loop=loop, **options)

    def _now(self) -> tuple[_Stand | None, bool]:
        task = asyncio.current_task(self.loop)
        if task is None:
            return _standing.get(), True
        _, stand = self._stands.get(id(task.get_coro()), (None, None))
        return (_standing.get() if stand is None else stand), False


def _short(path: str) -> str:
    if len(path) <= LONGEST:
        return path
    return f"{ROOT}~{hashlib.sha256(path.encode()).hexdigest()[:24]}"
