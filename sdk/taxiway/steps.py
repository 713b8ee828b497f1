"""Lets a function say how it wants to be executed as a step, and settles that with what the call and the agent say."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, overload

from taxiway.durations import Duration, seconds
from taxiway.identity import checked_name, step_name
from taxiway.retry import NO_RETRY, Retry
from taxiway.shapes import Anything, Shape, UnknownType, hints_of, shape_of

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = "__taxiway_step__"
STEP_ON_DENY: Final = ("cancel", "fail", "raise")


@dataclass(frozen=True)
class StepOptions:
    """What somebody said about a step; None where nothing was said."""

    name: str | None = None
    retry: Retry | None = None
    timeout: Duration | None = None
    once: bool | None = None
    tool: bool | None = None
    on_deny: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            checked_name(self.name)
        if self.retry is not None and not isinstance(self.retry, Retry):
            raise TypeError(f"retry=… takes a taxiway.Retry, not {self.retry!r}")
        if self.timeout is not None and seconds(self.timeout) == 0:
            raise ValueError("a step needs a timeout of more than zero seconds, or none")
        if self.on_deny is not None and self.on_deny not in STEP_ON_DENY:
            raise ValueError(f"a step's on_deny is one of {', '.join(STEP_ON_DENY)}, not {self.on_deny!r}")


NOTHING_SAID: Final = StepOptions()


@dataclass(frozen=True)
class StepPlan:
    """How one call of a step is executed. A `pinned` name identifies the step whatever its arguments are."""

    name: str
    pinned: bool
    retry: Retry
    timeout: float | None
    once: bool
    shape: Shape
    tool: bool = False
    on_deny: str = "cancel"


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    once: bool | None = None,
    tool: bool | None = None,
    on_deny: str | None = None,
) -> Callable[[F], F]: ...
def step(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    once: bool | None = None,
    tool: bool | None = None,
    on_deny: str | None = None,
) -> F | Callable[[F], F]:
    """Declare how a function is executed as a step; it stays an ordinary function.

    `name` (default: the function's own) is what the step is recorded and recognised by, together with its arguments.
    `timeout` limits each attempt. `once=True` never repeats an attempt whose outcome is unknown. `tool=True` marks the
    step as a tool call, which people approve in runs with the approval strategy ON_TOOL_CALL; a denial cancels the run, fails
    it, or with `on_deny="raise"` raises ApprovalDenied where the step was called.
    """
    options = StepOptions(name, retry, timeout, once, tool, on_deny)

    def declare(target: F) -> F:
        setattr(target, _OPTIONS, options)
        return target

    return declare if function is None else declare(function)


def plan(function: Callable[..., Any], call: StepOptions, agent_retry: Retry | None) -> StepPlan:
    """Settle how a call is executed: the call's own options win over the function's, these over the agent's."""
    if not callable(function):
        raise TypeError(f"a step is a function and its arguments, {function!r:.80} cannot be called")
    declared: StepOptions = getattr(function, _OPTIONS, NOTHING_SAID)
    timeout = call.timeout if call.timeout is not None else declared.timeout
    once = call.once if call.once is not None else declared.once
    return StepPlan(
        name=call.name or declared.name or step_name(function),
        pinned=call.name is not None,
        retry=call.retry or declared.retry or agent_retry or NO_RETRY,
        timeout=None if timeout is None else seconds(timeout),
        once=bool(once),
        shape=return_shape(function),
        tool=bool(call.tool if call.tool is not None else declared.tool),
        on_deny=call.on_deny or declared.on_deny or "cancel",
    )


_shapes: weakref.WeakKeyDictionary[Any, Shape] = weakref.WeakKeyDictionary()


def return_shape(function: Callable[..., Any]) -> Shape:
    """Return the shape of what a function returns, by its annotation; Anything where that says nothing."""
    owner = getattr(function, "__func__", function)  # a method object lives for one call only
    try:
        if (known := _shapes.get(owner)) is None:
            known = _shapes[owner] = _read_return_shape(owner)
    except TypeError:  # cannot be hashed or referred to weakly
        return _read_return_shape(owner)
    return known


def _read_return_shape(function: Callable[..., Any]) -> Shape:
    if isinstance(function, type) or not hasattr(function, "__annotations__"):
        return Anything()
    try:
        return shape_of(hints_of(function).get("return", Any))
    except UnknownType:  # then the value is handed over as JSON has it, the first time as in every replay
        return Anything()
