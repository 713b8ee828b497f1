"""Event loop of an async agent: an ordinary loop, except that the agent's own code sees the run's time.

It reports when the agent's code has scheduled something, and which parts of it do not wait for the run: sockets, and calls in
threads. Agents run in this loop, whatever loop or policy a library has installed.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, copy_context
from typing import Any, TypeVar, TypeVarTuple, Unpack

from taxiway.errors import Canceled, Halt, Park, Restart
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.task_paths import TaskPaths
from taxiway.inside import agent_code

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Selector that counts the descriptors of the agent's own code."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: set[int] = set()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if agent_code.get():
            self.agents.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self.agents.discard(key.fd)
        return key


class AgentLoop(asyncio.SelectorEventLoop):
    """See the module. `stirred` is called whenever the agent's code has scheduled something. Used by its thread only."""

    keeps_order = True
    """Marks a loop in which tasks start in the order in which the code names them, in every activation."""

    def __init__(self, clock: RunClock, timers: Timers, paths: TaskPaths) -> None:
        self.run_clock, self.run_timers, self.paths = clock, timers, paths
        self.stirred: Callable[[], None] = lambda: None
        self.agent_jobs: set[asyncio.Future[Any]] = set()
        self._agents_selector = _Selector()
        self._neutral = Context()
        super().__init__(self._agents_selector)
        super().set_task_factory(paths)
        paths.loop = self

    def agent_sockets(self) -> int:
        """Return the number of descriptors that the agent's own code waits for."""
        return len(self._agents_selector.agents)

    def time(self) -> float:
        """Return the run's time to the agent's own code, the machine's time to other code."""
        return self.run_clock.now if agent_code.get() else super().time()

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer on the run's clock for the agent's own code, on the machine's clock for other code."""
        if agent_code.get():
            return self.run_timers.add(self, when, callback, args, context)
        return super().call_at(when, callback, *args, context=context)

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call a function in the next turn."""
        handle = super().call_soon(callback, *args, context=context)
        if agent_code.get() if context is None else context.get(agent_code):
            self.stirred()  # after it: a probe that this schedules runs behind the callback
        return handle

    def call_ours(self, callback: Callable[[], object]) -> None:
        """Call a function of the SDK in the next turn, without reporting it as the agent's."""
        super().call_soon(callback, context=self._neutral)

    def call_ours_in(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call a function of the SDK after so many seconds of the machine's time."""
        return super().call_at(super().time() + seconds, callback, context=self._neutral)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call a function in a thread; a call of the agent's own code counts as work besides waiting."""
        if not agent_code.get():
            return super().run_in_executor(executor, func, *args)
        # In the agent's context, so that verbs are refused there.
        future = super().run_in_executor(executor, copy_context().run, func, *args)
        if not future.done():
            self.agent_jobs.add(future)
            future.add_done_callback(self.agent_jobs.discard)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an uncaught error, unless it only marks the end of the activation, which tasks need not retrieve."""
        error = context.get("exception")
        if error is None or not _is_end(error):
            super().call_exception_handler(context)

    def set_task_factory(self, factory: Callable[..., Any] | None) -> None:
        """Make tasks with this factory from now on; their paths are still recorded."""
        self.paths.inner = factory

    def get_task_factory(self) -> Any:
        """Return the factory that the agent's code has set."""
        return self.paths.inner


def _is_end(error: BaseException) -> bool:
    """Return whether a verb raised this because the activation ends, in a task or in all failed tasks of a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_end, error.exceptions))
    return isinstance(error, Canceled | Halt | Park | Restart)
