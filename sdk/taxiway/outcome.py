"""Outcomes of an activation: a result, an error with a code, a park or a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from taxiway.agents import Agent
from taxiway.callers import definition_hint
from taxiway.codec import result
from taxiway.errors import (
    AGENT_ERROR,
    AUTHORIZATION_FAILED,
    CANCELED,
    CHILD_FAILED,
    DENIED,
    INVALID_OUTPUT,
    OUTPUT_TOO_LARGE,
    TIMEOUT,
    ApprovalDenied,
    AuthorizationDenied,
    Canceled,
    ChildFailed,
    Halt,
    InvalidValue,
    Park,
    Restart,
    StepFailed,
    WaitTimeout,
)
from taxiway.shape_names import annotated
from taxiway.storable_text import message_of, report_of


@dataclass(frozen=True)
class Finished:
    """The agent returned; `text` is its result as JSON."""

    text: str


@dataclass(frozen=True)
class Failed:
    """The run fails with this error."""

    code: str
    type: str
    message: str
    step: str | None = None
    attempts: int | None = None
    traceback: str | None = None

    def as_frame(self) -> dict[str, Any]:
        """Return the error as a `fail` frame carries it."""
        return {
            "code": self.code,
            "type": self.type,
            "message": self.message,
            "step": self.step,
            "attempts": self.attempts,
            "traceback": self.traceback,
        }


@dataclass(frozen=True)
class Restarted:
    """A successor takes over; `text` is its input as JSON."""

    text: str


@dataclass(frozen=True)
class Parked:
    """The run waits for these waits, as a `park` frame carries them."""

    waits: tuple[dict[str, object], ...]
    wake: str


Outcome = Finished | Failed | Parked | Restarted


def returned(agent: Agent, value: object, max_bytes: int) -> Outcome:
    """Return the outcome of an agent that returned `value`."""
    try:
        text = result(agent.result, value)
    except InvalidValue as problem:
        message = f"the agent{annotated(agent.result)} returned {problem}{definition_hint(agent.function)}"
        return Failed(INVALID_OUTPUT, "InvalidValue", message)
    if (size := len(text.encode())) > max_bytes:
        message = (
            f"the agent returned {size:,} bytes of JSON, {max_bytes:,} are allowed{definition_hint(agent.function)}"
        )
        return Failed(OUTPUT_TOO_LARGE, "ValueTooLarge", message)
    return Finished(text)


def raised(error: BaseException) -> Failed:
    """Return the outcome of an agent that raised `error`."""
    match _innermost(error):
        case StepFailed() as failed:
            return Failed(failed.code, failed.type, failed.message, failed.step, failed.attempts, failed.report)
        case WaitTimeout() as late:
            return Failed(TIMEOUT, "WaitTimeout", message_of(late))
        case ApprovalDenied() as denied:
            return Failed(DENIED, "ApprovalDenied", message_of(denied))
        case ChildFailed() as child:
            return Failed(CHILD_FAILED, "ChildFailed", message_of(child))
        case AuthorizationDenied() as denied:
            return Failed(AUTHORIZATION_FAILED, "AuthorizationDenied", message_of(denied))
        case _:
            return Failed(AGENT_ERROR, type(error).__name__, message_of(error), traceback=report_of(error))


def stopped(reason: Halt | Canceled | Park | Restart, kind: str | None) -> Outcome:
    """Return the outcome of an activation that was stopped; `kind` is that of its cancel."""
    if isinstance(reason, Park):
        return Parked(reason.waits, reason.wake)
    if isinstance(reason, Restart):
        return Restarted(reason.text)
    if isinstance(reason, Halt):
        return Failed(reason.code, reason.type, reason.message, reason.step)
    if kind == TIMEOUT:
        return Failed(TIMEOUT, "TimeoutError", "the run used up its active time")
    return Failed(CANCELED, "Canceled", "the run was canceled")


def _innermost(error: BaseException) -> BaseException:
    """Return the error that a task group only wraps (the first if all are failed steps), or the error itself."""
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) > 1 and error.split(StepFailed)[1] is not None:
            break
        error = error.exceptions[0]
    return error
