"""The run as a `def` agent sees it: every verb returns when it is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

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


class Player(Protocol):
    """Whoever carries out scripts for a `def` agent."""

    def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""

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
        value: T = self._step(NOTHING_SAID, function, args, kwargs)
        return value

    def using(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        once: bool | None = None,
    ) -> Using:
        """Say more about one call of a step: `run.using(name="total").step(sum, numbers)`.

        A `name` given here identifies the step whatever its arguments are.
        """
        return Using(self, StepOptions(name=name, retry=retry, timeout=timeout, once=once))

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

    def wait_for(self, name: str, *, timeout: Duration | None = None) -> Any:
        """Return the payload of the next signal of this name, parked until it comes; what came before counts too.

        Raises WaitTimeout after `timeout` (7 days unless said otherwise). While the run waits it holds nothing.
        """
        return self._wait("wait_for", waits.signal(name, timeout))

    def sleep(self, duration: Duration) -> None:
        """Let time pass, seconds or months; while the run sleeps it holds nothing."""
        self._wait("sleep", waits.timer(duration))

    def pause(self, reason: str, *, timeout: Duration | None = None) -> None:
        """Stand still until somebody resumes the run. Raises WaitTimeout after `timeout` (7 days unless said otherwise)."""
        self._wait("pause", waits.user(reason, timeout))

    def _wait(self, verb: str, wish: Wish) -> Any:
        self._guard(verb)
        return self._activation.wait(wish)

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
