"""The step that code runs in, and the verbs that are allowed there.

A context variable holds the step: it follows `await`, tasks and `asyncio.to_thread`, but not threads that a step starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple

from taxiway.activation import Activation
from taxiway.authorizations import Grant, token_source
from taxiway.commands import Execute, StepCall
from taxiway.conversation import Granted, Place
from taxiway.current_run import enter_step, leave_step
from taxiway.forks import refuse_in_child
from taxiway.identity import idempotency_key
from taxiway.outside_step import refusal


@dataclass(frozen=True)
class StepInfo:
    """Facts of the step that runs.

    `idempotency_key` is equal for all attempts and replays of this step, and for no other step: pass it to outside systems
    that can recognise repeats. `attempt` counts from 1.
    """

    name: str
    key: str
    attempt: int
    idempotency_key: str


class _Inside(NamedTuple):
    activation: Activation
    call: StepCall
    attempt: int

    @property
    def info(self) -> StepInfo:
        key = self.call.key
        return StepInfo(self.call.name, key, self.attempt, idempotency_key(self.activation.order.run_id, key))

    @property
    def place(self) -> Place:
        return Place(self.call.key, self.attempt)

    def token_of(self, grant: Grant) -> Future[Granted]:
        return self.activation.ask("token", grant)


_here: Final[ContextVar[_Inside | None]] = ContextVar("taxiway_step", default=None)
agent_code: Final[ContextVar[bool]] = ContextVar("taxiway_agent_code", default=False)
"""Whether an async agent's own code runs, which sees the run's time: not a step, and not the SDK."""


@contextmanager
def real_time() -> Iterator[None]:
    """Set timers by the machine's clock within this context, even if an async agent's own code is the caller."""
    token = agent_code.set(False)
    try:
        yield
    finally:
        agent_code.reset(token)


class stepping:  # noqa: N801 - used like a context manager function, which would take three times as long
    """Context of a step's code: verbs of steps work within it."""

    def __init__(self, activation: Activation, command: Execute) -> None:
        self._inside = _Inside(activation, command.call, command.attempt)

    def __enter__(self) -> None:
        self._here, self._time, self._step = _here.set(self._inside), agent_code.set(False), enter_step()
        self._tokens = token_source.set(self._inside.token_of)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token_source.reset(self._tokens)
        leave_step(self._step)
        agent_code.reset(self._time)
        _here.reset(self._here)


def refuse_inside_step(verb: str) -> None:
    """Raise RuntimeError if the caller is inside a step, or in a forked child of the run's process."""
    refuse_in_child(f"run.{verb}")
    if (here := _here.get()) is not None:
        raise RuntimeError(f"run.{verb} was called inside step {here.info.name!r}; only the agent itself may call it")


def step_info() -> StepInfo:
    """Return the facts of the step that calls it; raise RuntimeError outside a step."""
    return _inside("step_info").info


def emit(type: str, data: object = None) -> None:  # noqa: A002 - it is called so
    """Publish an event of the step's own to those who watch the run now."""
    here = _speaking("emit")
    here.activation.event(type, data, place=here.place)


def progress(done: float, total: float | None = None, note: str | None = None) -> None:
    """Publish the step's progress."""
    here = _speaking("progress")
    here.activation.progress(done, total, note, here.place)


def log(message: object, level: str = "info") -> None:
    """Write a line of the run's log; `level` is debug, info, warning or error."""
    here = _speaking("log")
    here.activation.log(message, level, here.place)


def cancelled() -> bool:
    """Return whether the run is being canceled. Poll it in steps that run in threads, which cannot be interrupted."""
    return _inside("cancelled").activation.canceled.is_set()


def _speaking(verb: str) -> _Inside:
    """Return the step that calls the verb; raise RuntimeError outside a step or in a forked child."""
    refuse_in_child(f"taxiway.{verb}()")
    return _inside(verb)


def _inside(verb: str) -> _Inside:
    here = _here.get()
    if here is None:
        raise refusal(f"taxiway.{verb}()", "in the agent itself use its run")
    return here
