"""The run whose agent code calls: a plain call of a `@step` function in an agent is a step, never an unrecorded effect.

A context variable holds the run. A thread that the agent's code starts by hand does not have it. A call there is refused while
no step executes, because only the agent itself can have started that thread.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_TARGET: Final = "__taxiway_target__"


class _AnyRun(Protocol):
    @property
    def step(self) -> Callable[..., Any]: ...


current_run: Final[ContextVar[_AnyRun | None]] = ContextVar("taxiway_present_run", default=None)
"""The run whose agent's own code runs here, None inside steps and outside runs."""
_lock: Final = threading.Lock()  # protects what follows
_agent_threads: Final[set[threading.Thread]] = set()
_agents = 0
_steps = 0


@contextmanager
def agent_executing() -> Iterator[None]:
    """Count an agent that executes in this process, for the duration of the context."""
    global _agents  # noqa: PLW0603 - a number of the process
    mine = threading.current_thread()
    with _lock:
        _agents += 1
        _agent_threads.add(mine)
    try:
        yield
    finally:
        with _lock:
            _agents -= 1
            _agent_threads.discard(mine)


def enter_step() -> Token[_AnyRun | None]:
    """Count a step that executes: until it ends, a function that is declared a step is a plain function."""
    global _steps  # noqa: PLW0603 - a number of the process
    token = current_run.set(None)
    with _lock:
        _steps += 1
    return token


def leave_step(token: Token[_AnyRun | None]) -> None:
    """End the step that `enter_step` returned `token` for."""
    global _steps  # noqa: PLW0603 - a number of the process
    with _lock:
        _steps -= 1
    current_run.reset(token)


def recorded_in_agents(target: F) -> F:
    """Return a function like `target` whose call in an agent is a step."""
    if not inspect.isfunction(target):
        return target
    awaited = inspect.iscoroutinefunction(target)

    @functools.wraps(target)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = current_run.get()
        if run is not None:
            _refuse_in_event_loop(target, run, awaited=awaited)
            return run.step(call, *args, **kwargs)
        if _agents and not _steps and threading.current_thread() not in _agent_threads:
            raise RuntimeError(
                f"step {target.__qualname__} was called in a thread of the agent's own, where it would not be recorded; "
                "call it in the agent itself, or start the thread inside a step"
            )
        return target(*args, **kwargs)

    setattr(call, _TARGET, target)
    if awaited and hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(call)
    return call  # type: ignore[return-value] # it has the signature that `wraps` gave it


def is_awaited(function: Callable[..., Any]) -> bool:
    """Return whether a step's function is a coroutine function, or an object with a coroutine `__call__`."""
    function = getattr(function, _TARGET, function)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _refuse_in_event_loop(target: Callable[..., Any], run: _AnyRun, *, awaited: bool) -> None:
    if not awaited and getattr(run, "_is_async", False):
        name = target.__qualname__
        raise TypeError(f"{name} is a `def` step; an async agent awaits its value: write `await run.step({name}, …)`")
