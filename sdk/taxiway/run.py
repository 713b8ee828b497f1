"""The run of a `def` agent: each verb blocks until it is done."""

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
    """Carries out the scripts of a `def` agent's verbs."""

    def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""

    def clean_up(self, script: Script) -> Any:
        """Carry out a script even after a cancel."""

    def wait(self, waits: Sequence[Wait], wake: str = "all") -> None:
        """Return if all or any of the waits are resolved; otherwise raise Park."""
        ...

    def wait_for(self, future: Future[Any]) -> Any:
        """Return the result of a future."""

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError if the caller is not the agent's own thread."""


class Run(RunFacts):
    """The run, which a `def` agent takes as its first argument. Call its verbs in the agent's own thread, outside steps."""

    def __init__(self, activation: Activation, player: Player) -> None:
        super().__init__(activation)
        self._player = player

    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute `function(*args, **kwargs)` once per run, and return its recorded value.

        A replay returns the record and does not execute the function. The value is always rebuilt from JSON by the function's
        return annotation, the first time too. Raises StepFailed after the last failed attempt.
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
        """Set options for one call of a step: `run.using(name="total").step(sum, numbers)`.

        A `name` given here identifies the step; its arguments then do not count.
        """
        return Using(self, StepOptions(name, retry, timeout, once, tool, on_deny))

    def emit(self, type: str, data: object = None, *, durable: bool = False) -> None:  # noqa: A002 - it is called so
        """Publish an event of the agent's own to the watchers of the run; a `durable` event is also recorded."""
        self._guard("emit")
        if (recorded := self._activation.event(type, data, durable=durable)) is not None:
            self._player.wait_for(recorded)

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Publish the run's progress."""
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
        """Ask people to approve, show them `details`, and return the decision. The run is parked until then.

        `choices` are ways to approve; the approver picks one. `approvers` are the key roles that may decide. A denial cancels
        the run by default. `on_deny="fail"` fails it, "return" returns a decision that is not `approved`, and "raise" raises
        ApprovalDenied. After `timeout` (None: never), `on_timeout` applies: "deny", "fail" or "return".
        """
        wait = self.approval(
            prompt,
            details=details,
            choices=choices,
            approvers=approvers,
            timeout=timeout,
            on_deny=on_deny,
            on_timeout=on_timeout,
        )
        decision: Decision = self._wait(wait)
        return decision

    @overload
    def ask(self, prompt: str, answer: type[T], *, timeout: Duration | None = "7d") -> T: ...
    @overload
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Any: ...
    def ask(self, prompt: str, answer: Any = str, *, timeout: Duration | None = "7d") -> Any:
        """Ask people a question and return the answer, a value of the type `answer`. The run is parked until then.

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
        """Ask a person to authorize at a provider, and return the grant. The run is parked as AUTH_REQUIRED until then.

        An earlier grant of the `subject` (default: the run's userId) is used if it has all `scopes`. With `url`, another
        system carries out the authorization. A denial fails the run by default. `on_deny="cancel"` cancels it, "return"
        returns None, and "raise" raises AuthorizationDenied. Raises WaitTimeout after `timeout` (None: never).
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
        """Return the payload of the next signal of this name. The run is parked until the signal arrives.

        A signal that arrived earlier counts. `schema` is the type of the payload: the server refuses a signal with another
        payload. Raises WaitTimeout after `timeout` (None: never).
        """
        return self._wait(self._describe("wait_for", waits.signal(name, timeout, schema)))

    def sleep(self, duration: Duration) -> None:
        """Sleep for seconds or for months. While it sleeps, the run is parked and holds no worker; zero returns immediately."""
        wait = self._describe("sleep", waits.timer(duration))
        if wait.wish.due_ms:
            self._wait(wait)

    def pause(self, reason: str, *, timeout: Duration | None = "7d") -> None:
        """Park the run until a person resumes it. Raises WaitTimeout after `timeout` (None: never)."""
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
        """Start a run of another agent, once per run, and return its handle without waiting for its end.

        The child inherits tenant, user, priority and tags of this run, and is canceled with it. `agent` is a name, or a
        declared function. A `key` identifies the call; its input then does not count. Pass the child to `gather` or `first`,
        or call its `result()`. Raises StepFailed, and starts nothing, if the agent or queue does not exist.
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
        """Start a run of another agent for each input, with one record for all, and return their handles without waiting.

        The options are those of `spawn`. `gather` waits for the results, as `map_results` does.
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

        Raises ChildFailed if a child ended without a result.
        """
        self._guard("map_results")
        given = list(inputs)
        start = children.start(agent, given, given, key=key, queue=queue, priority=priority, timeout=timeout)
        return self.gather(*self._player.play(self._several(start))) if given else []

    def restart(self, **input: Any) -> NoReturn:  # noqa: A002 - it is called so everywhere
        """End this run as SUCCESS and continue in a successor run with this input: for loops without an end.

        The successor has the same agent, user, queue, priority, labels and limits, and receives the unconsumed signals. A parent
        receives the end of the last run only. Raises InvalidValue if the agent does not accept the input.
        """
        self._guard("restart")
        self._activation.restart(input)

    def cleanup(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute a step as `step` does, even after a cancel: use it in a `finally` that undoes something.

        After a cancel the step may take as long as the grace period. If the run is only parked, the step does not begin.
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
        """Wait for all and return their values in the order given; raise the error of the first one given that failed.

        With `return_errors`, an error is returned in its place instead.
        """
        self._guard("gather")
        chosen = [self._started(wait) for wait in several("gather", given)]
        self._player.wait(chosen)
        return self._values(chosen, return_errors)

    def first(self, *given: Wait | Unstarted[Any]) -> First:
        """Wait until one is resolved and return its index and value; the others stay open."""
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

    def _step(self, options: StepOptions, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._guard("step")
        return self._player.play(self._activation.open_step(function, args, kwargs, options))

    def _guard(self, verb: str) -> None:
        refuse_inside_step(verb)
        self._player.refuse_other_threads(verb)


class Using:
    """A run with options for its next step."""

    def __init__(self, run: Run, options: StepOptions) -> None:
        self._run = run
        self._options = options

    def step(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute a step as `Run.step` does, with these options."""
        result: T = self._run._step(self._options, function, args, kwargs)  # noqa: SLF001 - one class in two halves
        return result
