"""Declaration of agents; the inputs of an agent are the parameters of its function."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, TypeVar, overload

from taxiway.annotation_shapes import hints_of, shape_of
from taxiway.codec import given
from taxiway.decode import decode
from taxiway.durations import Duration, milliseconds
from taxiway.errors import InvalidValue, UnknownType
from taxiway.identity import checked_name, step_name
from taxiway.retry import Retry
from taxiway.return_types import known_return_shape
from taxiway.schema import Schema, object_schema
from taxiway.shapes import Shape

F = TypeVar("F", bound=Callable[..., Any])

_NO_DEFAULT: Final = inspect.Parameter.empty
_OF_METHODS: Final = ("self", "cls")


@dataclass(frozen=True)
class Agent:
    """A declared agent."""

    name: str
    queue: str
    timeout_ms: int | None
    retry: Retry | None
    description: str | None
    function: Callable[..., Any]

    @property
    def is_async(self) -> bool:
        """Whether the agent is an `async def` and gets an AsyncRun."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def place(self) -> str:
        """The file and line of the agent's function."""
        code = inspect.unwrap(self.function).__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    def schema(self) -> Schema:
        """Return the JSON Schema of the input; raise UnknownType for a parameter that JSON cannot fill."""
        return object_schema(self._inputs.named, self._inputs.rest)

    def read_input(self, text: str) -> dict[str, Any]:
        """Return a run's input as keyword arguments; raise InvalidValue if it does not fit the parameters."""
        members = json.loads(text)
        if not isinstance(members, dict):
            raise InvalidValue("$", "expected an object")
        inputs = self._inputs
        arguments: dict[str, Any] = {}
        for name, value in members.items():
            shape = inputs.named[name][0] if name in inputs.named else inputs.rest
            if shape is None:
                raise InvalidValue(f"$.{name}", f"agent {self.name!r} has no such input")
            arguments[name] = decode(shape, value, f"$.{name}")
        for name, (_, default) in inputs.named.items():
            if default is _NO_DEFAULT and name not in members:
                raise InvalidValue(f"$.{name}", "is missing")
        return arguments

    def write_input(self, inputs: Mapping[str, object]) -> str:
        """Return the JSON text from which `read_input` restores this input; raise InvalidValue if no JSON can."""
        shapes = {name: shape for name, (shape, _) in self._inputs.named.items()}
        return given(shapes, self._inputs.rest, inputs)

    @functools.cached_property
    def result(self) -> Shape | None:
        """The shape of the return type, None without an annotation. Raises UnknownType if JSON cannot hold it."""
        return known_return_shape(self.function)

    @functools.cached_property
    def _inputs(self) -> _Inputs:
        return _read_inputs(self.function)


@dataclass(frozen=True)
class _Inputs:
    named: dict[str, tuple[Shape, Any]]
    rest: Shape | None


DECLARED: Final[list[Agent]] = []
"""Every agent that this process has declared, in order. The host reads it after it has imported their modules."""


@overload
def agent(function: F, /) -> F: ...
@overload
def agent(
    name: str | None = None,
    queue: str = "default",
    timeout: Duration | None = None,
    retry: Retry | None = None,
    description: str | None = None,
) -> Callable[[F], F]: ...
def agent(
    name: F | str | None = None,
    queue: str = "default",
    timeout: Duration | None = None,
    retry: Retry | None = None,
    description: str | None = None,
) -> F | Callable[[F], F]:
    """Declare a function an agent; it stays an ordinary function.

    The first parameter receives the Run (AsyncRun for `async def`). The other parameters, with their type hints, are the input.
    `timeout` limits the active time of a run. `retry` is the default of its steps. `description` defaults to the first line
    of the docstring. Raises TypeError for a function that cannot be an agent.
    """
    given_name = name if isinstance(name, str) else None

    def declare(function: F) -> F:
        _check_signature(function)
        if retry is not None and not isinstance(retry, Retry):
            raise TypeError(f"retry=… takes a taxiway.Retry, not {retry!r}")
        DECLARED.append(
            Agent(
                name=checked_name(given_name) if given_name is not None else step_name(function),
                queue=checked_name(queue),
                timeout_ms=_timeout_ms(function, timeout),
                retry=retry,
                description=description or _first_line(function),
                function=function,
            )
        )
        return function

    if name is None or isinstance(name, str):
        return declare
    return declare(name)


def _timeout_ms(function: Callable[..., Any], timeout: Duration | None) -> int | None:
    try:
        given = milliseconds(timeout)
    except (TypeError, ValueError) as error:
        raise type(error)(f"agent {function.__qualname__}: timeout: {error}") from None
    if given == 0:
        raise ValueError(f"agent {function.__qualname__} needs a timeout of more than zero seconds, or none")
    return given


def _first_line(function: Callable[..., Any]) -> str | None:
    text = inspect.getdoc(function)
    return text.partition("\n")[0] if text else None


def _check_signature(function: Callable[..., Any]) -> None:
    if not inspect.isfunction(inspect.unwrap(function)):
        raise TypeError(f"an agent is a function, not {function!r:.80}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"agent {function.__qualname__} is a generator; an agent returns its result")
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name in _OF_METHODS:
        raise TypeError(
            f"agent {function.__qualname__} is a method; an agent is a function, a run has no object for {parameters[0].name!r}"
        )
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise TypeError(
            f"agent {function.__qualname__} needs a first parameter for its run: def {function.__name__}(run, …)"
        )
    for parameter in parameters[1:]:
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            raise TypeError(
                f"agent {function.__qualname__}: input {parameter} must be accepted by name; "
                "an input is a keyword, and **rest takes those that have no parameter"
            )


def _read_inputs(function: Callable[..., Any]) -> _Inputs:
    named: dict[str, tuple[Shape, Any]] = {}
    rest: Shape | None = None
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        shape = _parameter_shape(function, parameter)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            rest = shape
        else:
            named[parameter.name] = (shape, parameter.default)
    return _Inputs(named, rest)


def _parameter_shape(function: Callable[..., Any], parameter: inspect.Parameter) -> Shape:
    if parameter.annotation is _NO_DEFAULT:
        return shape_of(Any)
    # One at a time: the annotation of `run` may name what only type checkers import.
    single = SimpleNamespace(
        __annotations__={parameter.name: parameter.annotation},
        __globals__=inspect.unwrap(function).__globals__,
        __qualname__=function.__qualname__,
    )
    try:
        return shape_of(hints_of(single)[parameter.name])
    except UnknownType as error:
        raise UnknownType(f"input {parameter.name!r}: {error}") from error
