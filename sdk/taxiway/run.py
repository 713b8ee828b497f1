"""The run as a `def` agent sees it: every verb returns when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, NoReturn, ParamSpec, Protocol, Unpack, overload

from taxiway import approvals, children, waits
from taxiway.activation import Activation, cleaning
from taxiway.agent_references import AsyncAgent, Inputs, SpawnOptions, T
from taxiway.approvals import Decision, OnDeny, OnTimeout
from taxiway.authorizations import Grant
from taxiway.children import Child, Unstarted
from taxiway.commands import Script
from taxiway.durations import Duration
from taxiway.inside import refuse_inside_step
from taxiway.retry import Retry
from taxiway.steps import NO_OPTIONS, StepOnDeny, StepOptions
from taxiway.verbs import First, RunFacts, several
from taxiway.waits import Wait

P = ParamSpec("P")


class Player(Protocol):
    """Whoever carries out scripts for a `def` agent."""

    def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""

    def clean_up(self, script: Script) -> Any:
        """Carry out a script, also after a cancel."""

    def wait(self, waits: Sequence[Wait], wake: str = "all") -> None:
        """Return when all or any of these are over; else raise Park."""
        ...

    def wait_for(self, future: Future[Any]) -> Any:
        """Return what a future ends with."""

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError when not called by the agent's own thread."""


class Run(RunFacts):
    """The run, as the first argument of a `def` agent. Its verbs work in the agent's own thread, outside of steps."""

    def __init__(self, activation: Activation, player: Player) -> None:
        super().__init__(activation)
        self._player = player

    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute `function(*args, **kwargs)` once in the life of the run, and return its recorded value from then on.

        Raises StepFailed when its attempts are used up. The value is rebuilt from JSON by the function's return
        annotation, the first time too.
        """
        value: T = self._step(NO_OPTIONS, function, args, kwargs)
        return value

    def using(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        once: bool | None = None,
        tool: bool | None = None,
        on_deny: StepOnDeny | None = None,
    ) -> Using:
        """Say more about one call of a step: `run.using(name="total").step(sum, numbers)`.

        A `name` given here identifies the step whatever its arguments are.
        """
        return Using(self, StepOptions(name, retry, timeout, once, tool, on_deny))

    def emit(self, type: str, data: object = None, *, durable: bool = False) -> None:  # noqa: A002 - it is called so
        """Send an event of the agent's own to whoever watches the run; a durable one is also recorded with the run."""
        self._guard("emit")
        if (recorded := self._activation.event(type, data, durable=durable)) is not None:
            self._player.wait_for(recorded)

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the run is."""
        self._guard("progress")
        self._activation.progress(done, total, note)

    def log(self, message: object, level: str = "info") -> None:
        """Write a line of the run's log; `level` is debug, info, warning or error."""
        self._guard("log")
        self._activation.log(message, level)

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
    ) -> Decision:
        """Ask people to approve, showing them `details`; the run holds nothing until one of them has decided.

        `choices` are ways to approve, of which one is chosen; `approvers` are the key roles that may decide. A denial cancels
        the run, or as `on_deny` says: "fail" fails it, "return" gives a decision that is not `approved`, "raise" raises
        ApprovalDenied. After `timeout` (None: never) `on_timeout` decides: "deny", "fail" or "return".
        """
        wait = self.approval(
            prompt, details=details, choices=choices, approvers=approvers, timeout=timeout, on_deny=on_deny,
            on_timeout=on_timeout,
        )  # fmt: skip
        decision: Decision = self._wait(wait)
        return decision

    @overload
    def ask(self, prompt: str, answer: type[T], *, timeout: Duration | None = "7d") -> T: ...
    @overload
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Any: ...
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Any:
        """Ask people a question and return their answer, which has the type `answer`.

        Raises WaitTimeout after `timeout` (None: never).
        """
        return self._wait(self._describe("ask", approvals.question(prompt, answer, timeout)))

    def authorize(
        self,
        provider: str,
        *,
        scopes: Sequence[str] = (),
        subject: str | None = None,
        url: str | None = None,
        timeout: Duration | None = "1d",
        on_deny: OnDeny = "fail",
    ) -> Grant:
        """Have a person authorize at a provider, and return the grant; the run is AUTH_REQUIRED and holds nothing until then.

        A grant that the `subject` (the run's userId unless said otherwise) gave before is used, if it has all `scopes`. With
        `url` another system carries the authorization out. After `timeout` (None: never) WaitTimeout is
        raised. A denial fails the run, or as `on_deny` says: "cancel" cancels it, "return" gives None, "raise" raises
        AuthorizationDenied.
        """
        wish, wait = self._authorization(
            provider, scopes=scopes, subject=subject, url=url, timeout=timeout, on_deny=on_deny
        )
        looking = self._activation.look_for(wish, wait)
        if looking is not None and self._player.wait_for(looking).usable:
            return wish.grant
        grant: Grant = self._wait(wait)
        return grant

    @overload
    def wait_for(self, name: str, *, timeout: Duration | None = "7d", schema: type[T]) -> T: ...
    @overload
    def wait_for(self, name: str, *, timeout: Duration | None = "7d", schema: Any = None) -> Any: ...
    def wait_for(self, name: str, *, timeout: Duration | None = "7d", schema: Any = None) -> Any:
        """Return the payload of the next signal of this name, parked until it comes; what came before counts too.

        `schema` is the type of the payload: another is refused when it is sent. Raises WaitTimeout after `timeout` (None:
        never). While the run waits it holds nothing.
        """
        return self._wait(self._describe("wait_for", waits.signal(name, timeout, schema)))

    def sleep(self, duration: Duration) -> None:
        """Let time pass, seconds or months; while the run sleeps it holds nothing. No time at all costs nothing."""
        wait = self._describe("sleep", waits.timer(duration))
        if wait.wish.due_ms:
            self._wait(wait)

    def pause(self, reason: str, *, timeout: Duration | None = "7d") -> None:
        """Stand still until somebody resumes the run. Raises WaitTimeout after `timeout` (None: never)."""
        self._wait(self._describe("pause", waits.user(reason, timeout)))

    @overload
    def spawn(self, agent: AsyncAgent[T], input: Inputs = None, **options: Unpack[SpawnOptions]) -> Child[T]: ...
    @overload
    def spawn(self, agent: Callable[..., T], input: Inputs = None, **options: Unpack[SpawnOptions]) -> Child[T]: ...
    @overload
    def spawn(self, agent: str, input: Inputs = None, **options: Unpack[SpawnOptions]) -> Child[Any]: ...
    def spawn(
        self,
        agent: object,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - it is called so everywhere
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> Child[Any]:
        """Start a run of another agent, once in the life of this run, and return a handle on it at once.

        It inherits tenant, user, priority and tags of this run, and is canceled with it. `agent` is its name, or the function
        that was declared one. A `key` identifies the call whatever its input is. Give the child to `gather` or `first`, or ask it
        for its `result()`. Raises StepFailed when there is no such agent or queue: nothing is started then.
        """
        self._guard("spawn")
        start = children.start(agent, [input], input or {}, key=key, queue=queue, priority=priority, timeout=timeout)
        child: Child[Any] = self._player.play(self._one(start))
        return child

    @overload
    def map(
        self, agent: AsyncAgent[T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[Child[T]]: ...
    @overload
    def map(
        self, agent: Callable[..., T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[Child[T]]: ...
    @overload
    def map(
        self, agent: str, inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[Child[Any]]: ...
    def map(
        self,
        agent: object,
        inputs: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> list[Child[Any]]:
        """Start a run of another agent for each input, with one record for all, and return handles on them at once.

        The options are those of `spawn`; `gather` gives the results of the handles, as does `map_results`.
        """
        self._guard("map")
        given = list(inputs)
        start = children.start(agent, given, given, key=key, queue=queue, priority=priority, timeout=timeout)
        started: list[Child[Any]] = self._player.play(self._several(start)) if given else []
        return started

    @overload
    def map_results(
        self, agent: AsyncAgent[T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[T]: ...
    @overload
    def map_results(
        self, agent: Callable[..., T], inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[T]: ...
    @overload
    def map_results(
        self, agent: str, inputs: Iterable[Mapping[str, Any]], **options: Unpack[SpawnOptions]
    ) -> list[Any]: ...
    def map_results(
        self,
        agent: object,
        inputs: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> list[Any]:
        """Start a run of another agent for each input, as `map` does, and return their results when all have ended.

        Raises ChildFailed when one came to none.
        """
        self._guard("map_results")
        given = list(inputs)
        start = children.start(agent, given, given, key=key, queue=queue, priority=priority, timeout=timeout)
        return self.gather(*self._player.play(self._several(start))) if given else []

    def restart(self, **input: Any) -> NoReturn:  # noqa: A002 - it is called so everywhere
        """End this run as SUCCESS and begin anew with this input, as a run that takes over: for loops without an end.

        It has the same agent, user, queue, priority, labels and limits; what was signaled to this run and not consumed goes
        with it. A parent hears of the last one alone. Raises InvalidValue when the agent does not take the input.
        """
        self._guard("restart")
        self._activation.restart(input)

    def cleanup(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute a step as `step` does, also when the run was canceled: the one verb for a `finally` that undoes something.

        After a cancel it has the time of the cancel's grace. Where the run is merely parked it does not begin.
        """
        self._guard("cleanup")
        token = cleaning.set(True)
        try:
            script = self._activation.open_step(function, args, kwargs, NO_OPTIONS)
        finally:
            cleaning.reset(token)
        value: T = self._player.clean_up(script)
        return value

    @overload
    def gather(self, *given: Child[T] | Unstarted[T], return_errors: Literal[False] = False) -> list[T]: ...
    @overload
    def gather(self, *given: Child[T] | Unstarted[T], return_errors: bool) -> list[T | Exception]: ...
    @overload
    def gather(self, *given: Wait | Unstarted[Any], return_errors: bool = False) -> list[Any]: ...
    def gather(self, *given: Wait | Unstarted[Any], return_errors: bool = False) -> list[Any]:
        """Wait until all are over and return what came of each, in the order given; raise what the first to fail raises.

        With `return_errors` what would be raised is returned in its place.
        """
        self._guard("gather")
        chosen = [self._started(wait) for wait in several("gather", given)]
        self._player.wait(chosen)
        return self._values(chosen, return_errors)

    def first(self, *given: Wait | Unstarted[Any]) -> First:
        """Wait until any is over and return the place and the outcome of the first; the others stay open."""
        self._guard("first")
        chosen = [self._started(wait) for wait in several("first", given)]
        self._player.wait(chosen, "any")
        return self._winner(chosen)

    def _started(self, wait: Wait | Unstarted[Any]) -> Wait:
        if isinstance(wait, Wait):
            return wait
        if wait.child is None:
            wait.child = self._player.play(wait.script)
        assert wait.child is not None
        return wait.child

    def _handles(self, agent: str, given: Sequence[Wait], ids: Sequence[str]) -> Sequence[Child[Any]]:
        return children.handles(Child, given, ids, agent, self._result)

    def _result(self, child: Wait) -> Any:
        self._guard("child")
        return self._wait(child)

    def _wait(self, wait: Wait) -> Any:
        self._player.wait((wait,))
        return self._activation.value(wait)

    def _step(self, said: StepOptions, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._guard("step")
        return self._player.play(self._activation.open_step(function, args, kwargs, said))

    def _guard(self, verb: str) -> None:
        refuse_inside_step(verb)
        self._player.refuse_other_threads(verb)


class Using:
    """A run with something said about its next step."""

    def __init__(self, run: Run, said: StepOptions) -> None:
        self._run = run
        self._said = said

    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute a step as `Run.step` does, with these options."""
        result: T = self._run._step(self._said, function, args, kwargs)  # noqa: SLF001 - one class in two halves
        return result
