"""The run of an `async def` agent: each verb is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, NoReturn, ParamSpec, Protocol, Unpack, overload

from taxiway import approvals, children, waits
from taxiway.activation import Activation, cleaning
from taxiway.agent_references import AsyncAgent, Inputs, SpawnOptions, T
from taxiway.approvals import Decision, OnDeny, OnTimeout
from taxiway.authorizations import AuthorizationWish, Grant
from taxiway.children import AsyncChild, Child, Unstarted
from taxiway.commands import Script
from taxiway.durations import Duration
from taxiway.inside import refuse_inside_step
from taxiway.retry import Retry
from taxiway.steps import NO_OPTIONS, StepOnDeny, StepOptions
from taxiway.verb_call import VerbCall
from taxiway.verbs import First, RunFacts, several
from taxiway.waits import Wait

P = ParamSpec("P")


class AsyncPlayer(Protocol):
    """Carries out the scripts of an `async def` agent's verbs."""

    def play(self, script: Script) -> Coroutine[Any, Any, Any]:
        """Carry out a script and return its value."""

    def clean_up(self, script: Script) -> Coroutine[Any, Any, Any]:
        """Carry out a script even after a cancel."""

    def wait(self, waits: Sequence[Wait], wake: str = "all", *, own: bool = True) -> Coroutine[Any, Any, None]:
        """Return when all or any of the waits are resolved; no other call can use the waits of a call with `own`."""

    def answered(self, future: Future[Any]) -> Coroutine[Any, Any, Any]:
        """Return the worker's answer to a question."""

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError if the caller is not the agent's own event loop."""


class AsyncRun(RunFacts):
    """The run, which an `async def` agent takes as its first argument. Call its verbs in the agent's own loop, outside steps.

    Steps may run concurrently, in `asyncio.gather` or a TaskGroup. Coroutine functions run in the loop, others in a thread.
    """

    _is_async = True

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
        """Execute `function(*args, **kwargs)` once per run, and return its recorded value.

        A replay returns the record and does not execute the function. Equal calls are numbered in the order in which `step` is
        called, not in which they are awaited or end. The value is always rebuilt from JSON by the function's return
        annotation, the first time too. Raises StepFailed after the last failed attempt.
        """
        return self._step(NO_OPTIONS, function, args, kwargs)

    def using(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        once: bool | None = None,
        tool: bool | None = None,
        on_deny: StepOnDeny | None = None,
    ) -> AsyncUsing:
        """Set options for one call of a step: `await run.using(timeout="20s").step(fetch, url)`.

        A `name` given here identifies the step; its arguments then do not count.
        """
        return AsyncUsing(self, StepOptions(name, retry, timeout, once, tool, on_deny))

    def emit(self, type: str, data: object = None, *, durable: bool = False) -> Awaitable[None]:  # noqa: A002 - it is called so
        """Publish an event of the agent's own to the watchers of the run; a `durable` event is also recorded."""
        self._guard("emit")
        return Recording(self._activation.event(type, data, durable=durable), self._player)

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> Awaitable[None]:
        """Publish the run's progress."""
        self._guard("progress")
        self._activation.progress(done, total, note)
        return Recording()

    def log(self, message: object, level: str = "info") -> Awaitable[None]:
        """Write a line of the run's log; `level` is debug, info, warning or error."""
        self._guard("log")
        self._activation.log(message, level)
        return Recording()

    def approve(
        self,
        prompt: str,
        *,
        details: object = None,
        choices: Sequence[str] | None = None,
        approvers: Sequence[str] | None = None,
        timeout: Duration | None = "7d",
        on_deny: OnDeny = "cancel",
        on_timeout: OnTimeout = "deny",
    ) -> Coroutine[Any, Any, Decision]:
        """Ask people to approve, as `Run.approve` does. Other tasks continue; once all of them wait, the run is parked."""
        wait = self.approval(
            prompt,
            details=details,
            choices=choices,
            approvers=approvers,
            timeout=timeout,
            on_deny=on_deny,
            on_timeout=on_timeout,
        )
        return self._wait("approve", wait)

    @overload
    def ask(self, prompt: str, answer: type[T], *, timeout: Duration | None = "7d") -> Coroutine[Any, Any, T]: ...
    @overload
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Coroutine[Any, Any, Any]: ...
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Coroutine[Any, Any, Any]:
        """Ask people a question and return the answer, as `Run.ask` does."""
        return self._wait("ask", self._describe("ask", approvals.question(prompt, answer, timeout)))

    def authorize(
        self,
        provider: str,
        *,
        scopes: Sequence[str] = (),
        subject: str | None = None,
        url: str | None = None,
        timeout: Duration | None = "1d",
        on_deny: OnDeny = "fail",
    ) -> Coroutine[Any, Any, Grant]:
        """Ask a person to authorize at a provider and return the grant, as `Run.authorize` does. Other tasks continue."""
        wish, wait = self._authorization(
            provider, scopes=scopes, subject=subject, url=url, timeout=timeout, on_deny=on_deny
        )
        return self._call("authorize", lambda: self._authorized(wish, wait))

    @overload
    def wait_for(self, name: str, *, timeout: Duration | None = "7d", schema: type[T]) -> Coroutine[Any, Any, T]: ...
    @overload
    def wait_for(
        self, name: str, *, timeout: Duration | None = "7d", schema: Any = None
    ) -> Coroutine[Any, Any, Any]: ...
    def wait_for(self, name: str, *, timeout: Duration | None = "7d", schema: Any = None) -> Coroutine[Any, Any, Any]:
        """Return the payload of the next signal of this name. Other tasks continue; once all of them wait, the run is parked.

        A signal that arrived earlier counts. `schema` is the type of the payload: the server refuses a signal with another
        payload. Raises WaitTimeout after `timeout` (None: never).
        """
        return self._wait("wait_for", self._describe("wait_for", waits.signal(name, timeout, schema)))

    def sleep(self, duration: Duration) -> Coroutine[Any, Any, None]:
        """Sleep for seconds or for months. A run that only sleeps is parked and holds no worker, unlike in `asyncio.sleep`."""
        wait = self._describe("sleep", waits.timer(duration))
        return self._wait("sleep", wait) if wait.wish.due_ms else self._call("sleep", lambda: asyncio.sleep(0))

    def pause(self, reason: str, *, timeout: Duration | None = "7d") -> Coroutine[Any, Any, None]:
        """Wait until a person resumes the run. Raises WaitTimeout after `timeout` (None: never)."""
        return self._wait("pause", self._describe("pause", waits.user(reason, timeout)))

    @overload
    def spawn(
        self, agent: AsyncAgent[T], input: Inputs = None, **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, AsyncChild[T]]: ...
    @overload
    def spawn(
        self, agent: Callable[..., T], input: Inputs = None, **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, AsyncChild[T]]: ...
    @overload
    def spawn(
        self, agent: str, input: Inputs = None, **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, AsyncChild[Any]]: ...
    def spawn(
        self,
        agent: object,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - it is called so everywhere
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> Coroutine[Any, Any, AsyncChild[Any]]:
        """Start a run of another agent, as `Run.spawn` does."""
        self._guard("spawn")
        start = children.start(agent, [input], input or {}, key=key, queue=queue, priority=priority, timeout=timeout)
        script = self._one(start)
        return self._call("spawn", lambda: self._player.play(script))

    @overload
    def map(
        self, agent: AsyncAgent[T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[AsyncChild[T]]]: ...
    @overload
    def map(
        self, agent: Callable[..., T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[AsyncChild[T]]]: ...
    @overload
    def map(
        self, agent: str, inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[AsyncChild[Any]]]: ...
    def map(
        self,
        agent: object,
        inputs: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> Coroutine[Any, Any, list[AsyncChild[Any]]]:
        """Start a run of another agent for each input, as `Run.map` does."""
        self._guard("map")
        given = list(inputs)
        start = children.start(agent, given, given, key=key, queue=queue, priority=priority, timeout=timeout)
        script = self._several(start) if given else None
        return self._call("map", lambda: self._map(script))

    async def _map(self, script: Script | None) -> list[AsyncChild[Any]]:
        children: list[AsyncChild[Any]] = [] if script is None else await self._player.play(script)
        return children

    @overload
    def map_results(
        self, agent: AsyncAgent[T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[T]]: ...
    @overload
    def map_results(
        self, agent: Callable[..., T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[T]]: ...
    @overload
    def map_results(
        self, agent: str, inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> Coroutine[Any, Any, list[Any]]: ...
    def map_results(
        self,
        agent: object,
        inputs: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> Coroutine[Any, Any, list[Any]]:
        """Start a run of another agent for each input and return their results, as `Run.map_results` does."""
        self._guard("map_results")
        given = list(inputs)
        start = children.start(agent, given, given, key=key, queue=queue, priority=priority, timeout=timeout)
        script = self._several(start) if given else None
        return self._call("map_results", lambda: self._map_results(script))

    async def _map_results(self, script: Script | None) -> list[Any]:
        started = await self._map(script)
        return await self.gather(*started) if started else []

    def restart(self, **input: Any) -> Coroutine[Any, Any, NoReturn]:  # noqa: A002 - it is called so everywhere
        """End this run as SUCCESS and continue in a successor with this input, as `Run.restart` does; cancel other tasks."""
        self._guard("restart")
        return self._call("restart", lambda: self._restart(input))

    @overload
    def cleanup(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def cleanup(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def cleanup(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Execute a step as `step` does, even after a cancel: use it in a `finally` that undoes something.

        After a cancel the step may take as long as the grace period. If the run is only parked, the step does not begin.
        """
        token = cleaning.set(True)
        try:
            self._guard("cleanup")
            script = self._activation.open_step(function, args, kwargs, NO_OPTIONS)
        finally:
            cleaning.reset(token)
        return self._call("cleanup", lambda: self._player.clean_up(script))

    @overload
    def gather(
        self, *given: Child[T] | Unstarted[T], return_errors: Literal[False] = False
    ) -> Coroutine[Any, Any, list[T]]: ...
    @overload
    def gather(
        self, *given: Child[T] | Unstarted[T], return_errors: bool
    ) -> Coroutine[Any, Any, list[T | Exception]]: ...
    @overload
    def gather(self, *given: Wait | Unstarted[Any], return_errors: bool = False) -> Coroutine[Any, Any, list[Any]]: ...
    def gather(self, *given: Wait | Unstarted[Any], return_errors: bool = False) -> Coroutine[Any, Any, list[Any]]:
        """Wait for all and return their values in the order given; raise the error of the first one given that failed.

        With `return_errors`, an error is returned in its place instead.
        """
        self._guard("gather")
        waits = several("gather", given)
        return self._call("gather", lambda: self._gather(waits, return_errors))

    def first(self, *given: Wait | Unstarted[Any]) -> Coroutine[Any, Any, First]:
        """Wait until one is resolved and return its index and value; the others stay open."""
        self._guard("first")
        waits = several("first", given)
        return self._call("first", lambda: self._first(waits))

    async def _gather(self, given: Sequence[Wait | Unstarted], return_errors: bool) -> list[Any]:
        chosen = [await self._started(wait) for wait in given]
        await self._player.wait(chosen, own=False)
        return self._values(chosen, return_errors)

    async def _first(self, given: Sequence[Wait | Unstarted]) -> First:
        chosen = [await self._started(wait) for wait in given]
        await self._player.wait(chosen, "any", own=False)
        return self._winner(chosen)

    async def _restart(self, inputs: dict[str, Any]) -> NoReturn:
        self._activation.restart(inputs)

    async def _started(self, wait: Wait | Unstarted[Any]) -> Wait:
        if isinstance(wait, Wait):
            return wait
        if wait.child is None:
            wait.child = await self._player.play(wait.script)
        assert wait.child is not None
        return wait.child

    def _handles(self, agent: str, given: Sequence[Wait], ids: Sequence[str]) -> Sequence[AsyncChild[Any]]:
        return children.handles(AsyncChild, given, ids, agent, self._result)

    def _result(self, child: Wait) -> Coroutine[Any, Any, Any]:
        self._guard("child")
        return self._call("child", lambda: self._waited(child, own=False))

    async def _authorized(self, wish: AuthorizationWish, wait: Wait) -> Grant:
        looking = self._activation.look_for(wish, wait)
        if looking is not None and (await self._player.answered(looking)).usable:
            return wish.grant
        grant: Grant = await self._waited(wait)
        return grant

    def _wait(self, verb: str, wait: Wait) -> Coroutine[Any, Any, Any]:
        return self._call(verb, lambda: self._waited(wait))

    async def _waited(self, wait: Wait, *, own: bool = True) -> Any:
        await self._player.wait((wait,), own=own)
        return self._activation.value(wait)

    def _call(self, verb: str, make: Callable[[], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
        return VerbCall(verb, make, self._activation.unawaited)

    def _step(
        self, options: StepOptions, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        self._guard("step")
        script = self._activation.open_step(function, args, kwargs, options)
        return self._call("step", lambda: self._player.play(script))

    def _guard(self, verb: str) -> None:
        refuse_inside_step(verb)
        self._player.refuse_other_threads(verb)


class AsyncUsing:
    """A run with options for its next step."""

    def __init__(self, run: AsyncRun, options: StepOptions) -> None:
        self._run = run
        self._options = options

    @overload
    def step(
        self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def step(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Execute a step as `AsyncRun.step` does, with these options."""
        return self._run._step(self._options, function, args, kwargs)  # noqa: SLF001 - one class in two halves


class Recording:
    """A frame that was sent when this was made. Awaiting it waits until the worker has recorded the frame."""

    def __init__(self, recorded: Future[None] | None = None, player: AsyncPlayer | None = None) -> None:
        self._recorded, self._player = recorded, player

    def __await__(self) -> Generator[Any, None, None]:
        if self._recorded is not None and self._player is not None:
            yield from self._player.answered(self._recorded).__await__()
