"""Shape of a function's return type; an error names the reason if JSON cannot hold it, and what to write instead."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import typing
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, get_args, get_origin

from taxiway.annotation_shapes import shape_of
from taxiway.errors import UnknownType
from taxiway.shapes import Shape

_FIX: Final = (
    "return what JSON has, a dataclass, a TypedDict, a NamedTuple, an enum, a pydantic model, a date, a UUID or the like, "
    "or annotate it -> Any"
)
_AWAITED: Final = (collections.abc.Awaitable, collections.abc.Coroutine)


class NotYetDefined(UnknownType):
    """An annotation with a name that is not defined yet, or for type checkers only."""


def return_shape(function: Callable[..., Any]) -> Shape | None:
    """Return the shape of a function's return type, None without an annotation; raise UnknownType with the fix."""
    function = _annotated(function)
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UnknownType(f"{name} is a generator, which cannot be recorded: return a list")
    annotations = getattr(function, "__annotations__", None) or {}
    if isinstance(function, type) or "return" not in annotations:
        return None
    annotation = _resolved(name, function, annotations["return"])
    if get_origin(annotation) in _AWAITED and get_args(annotation):
        annotation = get_args(annotation)[-1]
    try:
        return shape_of(annotation)
    except UnknownType as error:
        raise UnknownType(f"{name} -> {_written(annotation)} cannot be recorded: {error}; {_FIX}") from error


def _annotated(function: Any) -> Any:
    """Return the function that has the annotations of a callable."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    is_plain = inspect.isroutine(function) or isinstance(function, type) or hasattr(function, "__wrapped__")
    return function if is_plain else type(function).__call__


def _resolved(name: str, function: Any, annotation: Any) -> Any:
    # Alone: a parameter's annotation may name what only type checkers import.
    single = SimpleNamespace(
        __annotations__={"return": annotation},
        __globals__=getattr(inspect.unwrap(function), "__globals__", {}),
        __qualname__=name,
    )
    try:
        return typing.get_type_hints(single, include_extras=True)["return"]
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise NotYetDefined(f"{name} -> {_written(annotation)} cannot be read: {error}") from error


def _written(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def known_return_shape(function: Callable[..., Any]) -> Shape | None:
    """Return the shape of a function's return type, None without an annotation that can be resolved at run time."""
    try:
        return return_shape(function)
    except NotYetDefined:
        return None
