"""Options of a step: those of its function, its call and its agent, merged into one plan."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, overload

from taxiway.choices import check_choice
from taxiway.current_run import is_awaited, recorded_in_agents
from taxiway.durations import Duration, seconds
from taxiway.identity import checked_name, step_name
from taxiway.retry import NO_RETRY, Retry
from taxiway.return_types import NotYetDefined, return_shape
from taxiway.shapes import Anything, Shape

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = "__taxiway_step__"
StepOnDeny = Literal["cancel", "fail", "raise"]
DECLARED_STEPS: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""Every function that this process has declared a step. The host checks them after it has imported their modules."""


@dataclass(frozen=True)
class StepOptions:
    """Options of a step, as its function or one call gives them; None for an option that was not given."""

    name: str | None = None
    retry: Retry | None = None
    timeout: Duration | None = None
    once: bool | None = None
    tool: bool | None = None
    on_deny: StepOnDeny | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            checked_name(self.name)
        if self.retry is not None and not isinstance(self.retry, Retry):
            raise TypeError(f"retry=… takes a taxiway.Retry, not {self.retry!r}")
        if self.timeout is not None and seconds(self.timeout) == 0:
            raise ValueError("a step needs a timeout of more than zero seconds, or none")
        if self.on_deny is not None:
            check_choice("a step's on_deny", self.on_deny, StepOnDeny)


NO_OPTIONS: Final = StepOptions()


@dataclass(frozen=True)
class StepPlan:
    """The merged options of one call of a step. A `pinned` name identifies the step without its arguments."""

    name: str
    pinned: bool
    retry: Retry
    timeout: float | None
    once: bool
    shape: Shape
    tool: bool = False
    on_deny: StepOnDeny = "cancel"
    awaited: bool = False
    """Whether the function is a coroutine function, which an event loop must execute."""


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
    on_deny: StepOnDeny | None = None,
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
    on_deny: StepOnDeny | None = None,
) -> F | Callable[[F], F]:
    """Declare a function a step, with the options of its execution.

    In an agent, a plain call of the function is a step, as `run.step` is: `charge(1)`, or `await charge(1)` for a coroutine
    function. Inside steps and outside runs it stays an ordinary function.

    `name` (default: the function's own) and the arguments identify the step in its record. `timeout` limits each attempt.
    `once=True` never repeats an attempt whose outcome is unknown. `tool=True` marks the step as a tool call, which people
    approve in runs with the approval strategy ON_TOOL_CALL. A denial cancels the run by default; `on_deny="fail"` fails it,
    and "raise" raises ApprovalDenied at the call. Raises UnknownType if the annotated return type cannot be recorded.
    """
    options = StepOptions(name, retry, timeout, once, tool, on_deny)

    def declare(target: F) -> F:
        setattr(target, _OPTIONS, options)
        _readable_shape(target)  # an annotation that names something defined further below is checked by the host
        DECLARED_STEPS.add(target)
        return recorded_in_agents(target)

    return declare if function is None else declare(function)


def plan(function: Callable[..., Any], call: StepOptions, agent_retry: Retry | None) -> StepPlan:
    """Return the merged options of a call: its own win over the function's, and those over the agent's."""
    if call is not NO_OPTIONS:
        return _settled(function, call, agent_retry)
    owner = getattr(function, "__func__", function)  # a method object lives for one call only
    with contextlib.suppress(TypeError):  # cannot be hashed or referred to weakly
        declared, retry, known = _plans.get(owner, (None, None, None))
        if known is None or retry is not agent_retry or declared is not getattr(function, _OPTIONS, NO_OPTIONS):
            known = _settled(function, call, agent_retry)
            _plans[owner] = (getattr(function, _OPTIONS, NO_OPTIONS), agent_retry, known)
        return known
    return _settled(function, call, agent_retry)


def _settled(function: Callable[..., Any], call: StepOptions, agent_retry: Retry | None) -> StepPlan:
    if not callable(function):
        raise TypeError(f"a step is a function and its arguments, {function!r:.80} cannot be called")
    declared: StepOptions = getattr(function, _OPTIONS, NO_OPTIONS)
    timeout = call.timeout if call.timeout is not None else declared.timeout
    once = call.once if call.once is not None else declared.once
    return StepPlan(
        name=call.name or declared.name or step_name(function),
        pinned=call.name is not None,
        retry=call.retry or declared.retry or agent_retry or NO_RETRY,
        timeout=None if timeout is None else seconds(timeout),
        once=bool(once),
        shape=_readable_shape(function),
        tool=bool(call.tool if call.tool is not None else declared.tool),
        on_deny=call.on_deny or declared.on_deny or "cancel",
        awaited=is_awaited(function),
    )


_plans: weakref.WeakKeyDictionary[Any, tuple[StepOptions, Retry | None, StepPlan]] = weakref.WeakKeyDictionary()
"""Plans of calls without options of their own, each with the function's options and the agent's retry it was made from."""
_shapes: weakref.WeakKeyDictionary[Any, Shape] = weakref.WeakKeyDictionary()


def _return_shape(function: Callable[..., Any]) -> Shape:
    """Return the shape of a step's return type, Anything without an annotation; raise UnknownType or NotYetDefined."""
    owner = getattr(function, "__func__", function)  # a method object lives for one call only
    with contextlib.suppress(TypeError):  # cannot be hashed or referred to weakly
        if (known := _shapes.get(owner)) is not None:
            return known
    known = return_shape(owner) or Anything()
    with contextlib.suppress(TypeError):
        _shapes[owner] = known
    return known


def _readable_shape(function: Callable[..., Any]) -> Shape:
    try:
        return _return_shape(function)
    except NotYetDefined:  # only type checkers can resolve it: values are recorded by their own types then
        return Anything()


def check_declared(function: Callable[..., Any]) -> None:
    """Raise UnknownType for a declared step whose return type cannot be recorded. Call it after all imports."""
    _readable_shape(function)
