"""The run as an `async def` agent sees it: every verb is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from taxiway import waits
from taxiway.activation import Activation
from taxiway.conduct import Script
from taxiway.durations import Duration
from taxiway.inside import refuse_inside_step
from taxiway.retry import Retry
from taxiway.steps import NOTHING_SAID, StepOptions
from taxiway.verbs import RunFacts
from taxiway.waits import Wish

P = ParamSpec("P")
T = TypeVar("T")


class AsyncPlayer(Protocol):
    """Whoever carries out scripts for an `async def` agent."""

    def play(self, script: Script) -> Coroutine[Any, Any, Any]:
        """Carry out a script and return its value."""

    def wait(self, wish: Wish) -> Coroutine[Any, Any, Any]:
        """Open a wait now; what is returned waits for its outcome."""

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError when not called by the agent's own event loop."""


class AsyncRun(RunFacts):
    """The run, as the first argument of an `async def` agent. Its verbs work in the agent's own loop, outside of steps.

    Steps may run at once, in `asyncio.gather` or a TaskGroup. Coroutine functions run in the loop, others in a thread.
    """

    def __init__(self, activation: Activation, player: AsyncPlayer) -> None:
        super().__init__(activation)
        self._player = player

    @overload
    def step(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def step(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Execute `function(*args, **kwargs)` once in the life of the run, and return its recorded value from then on.

        Equal calls are told apart by the order in which `step` was called, not in which they are awaited or end.
        Raises StepFailed when its attempts are used up. The value is rebuilt from JSON by the function's return
        annotation, the first time too.
        """
        return self._step(NOTHING_SAID, function, args, kwargs)

    def using(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        once: bool | None = None,
    ) -> AsyncUsing:
        """Say more about one call of a step: `await run.using(timeout="20s").step(fetch, url)`.

        A `name` given here identifies the step whatever its arguments are.
        """
        return AsyncUsing(self, StepOptions(name=name, retry=retry, timeout=timeout, once=once))

    def emit(self, type: str, data: object = None, *, durable: bool = False) -> Awaitable[None]:  # noqa: A002 - it is called so
        """Send an event of the agent's own to whoever watches the run; a durable one is also recorded with the run."""
        self._guard("emit")
        return Said(self._activation.event(type, data, durable=durable))

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> Awaitable[None]:
        """Say how far the run is."""
        self._guard("progress")
        self._activation.progress(done, total, note)
        return Said(None)

    def log(self, message: object, level: str = "info") -> Awaitable[None]:
        """Write a line of the run's log; `level` is debug, info, warning or error."""
        self._guard("log")
        self._activation.log(message, level)
        return Said(None)

    def wait_for(self, name: str, *, timeout: Duration | None = None) -> Coroutine[Any, Any, Any]:
        """Return the payload of the next signal of this name; what came before counts too.

        Raises WaitTimeout after `timeout` (7 days unless said otherwise). Other tasks go on meanwhile; when all of them
        wait, the run is parked and holds nothing.
        """
        return self._wait("wait_for", waits.signal(name, timeout))

    def sleep(self, duration: Duration) -> Coroutine[Any, Any, None]:
        """Let time pass, seconds or months: unlike `asyncio.sleep`, a run that only sleeps is parked and holds nothing."""
        return self._wait("sleep", waits.timer(duration))

    def pause(self, reason: str, *, timeout: Duration | None = None) -> Coroutine[Any, Any, None]:
        """Stand still until somebody resumes the run. Raises WaitTimeout after `timeout` (7 days unless said otherwise)."""
        return self._wait("pause", waits.user(reason, timeout))

    def _wait(self, verb: str, wish: Wish) -> Coroutine[Any, Any, Any]:
        self._guard(verb)
        return self._player.wait(wish)

    def _step(
        self, said: StepOptions, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        self._guard("step")
        return self._player.play(self._activation.open_step(function, args, kwargs, said))

    def _guard(self, verb: str) -> None:
        refuse_inside_step(verb)
        self._player.refuse_other_threads(verb)


class AsyncUsing:
    """A run with something said about its next step."""

    def __init__(self, run: AsyncRun, said: StepOptions) -> None:
        self._run = run
        self._said = said

    @overload
    def step(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def step(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Execute a step as `AsyncRun.step` does, with these options."""
        return self._run._step(self._said, function, args, kwargs)  # noqa: SLF001 - one class in two halves


class Said:
    """Something that was said at once, whether it is awaited or not; awaiting it waits until it is recorded."""

    def __init__(self, recorded: Future[None] | None) -> None:
        self._recorded = recorded

    def __await__(self) -> Generator[Any, None, None]:
        if self._recorded is not None:
            yield from asyncio.wrap_future(self._recorded).__await__()
