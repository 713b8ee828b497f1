"""Names of shapes: short ones for people in errors, and unique ones in tags."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, assert_never

from taxiway.shapes import (
    Anything,
    Bag,
    Bits,
    Choice,
    Fixed,
    Model,
    OneOf,
    Pairs,
    Record,
    Scalar,
    Sequence,
    Shape,
    Table,
)
from taxiway.tags import name_of
from taxiway.text_types import Parsed


def described(shape: Shape) -> str:
    """Return an annotation of this shape as people write it, such as `list[Line]`."""
    return _name(shape, lambda kind: "None" if kind is type(None) else kind.__qualname__)


def annotated(shape: Shape | None) -> str:
    """Return a function's return annotation for a sentence, empty for Any or none."""
    return "" if shape is None or isinstance(shape, Anything) else f" -> {described(shape)}"


def named(shape: Shape) -> str:
    """Return the name of a shape in tags; that of a class includes its module."""
    return _name(shape, name_of)


def _name(shape: Shape, kind_name: Callable[[type], str]) -> str:  # noqa: C901 - one line for each shape
    def inner(*shapes: Shape) -> str:
        return ", ".join(_name(each, kind_name) for each in shapes)

    match shape:
        case Anything():
            return "Any"
        case Scalar(kind) | Parsed(kind=kind) | Bits(kind) | Record(kind=kind) | Model(kind):
            return kind_name(kind)
        case Choice(options, kind):
            return kind_name(kind) if kind is not None else f"Literal[{_constants(options)}]"
        case Sequence(item, build):
            return f"tuple[{inner(item)}, ...]" if build is tuple else f"list[{inner(item)}]"
        case Bag(item, build):
            return f"{build.__name__}[{inner(item)}]"
        case Fixed(items, _, kind):
            return f"tuple[{inner(*items)}]" if kind is tuple else kind_name(kind)
        case Table(value):
            return f"dict[str, {inner(value)}]"
        case Pairs(key, value):
            return f"dict[{inner(key, value)}]"
        case OneOf(options):
            return " | ".join(_name(option, kind_name) for option in options)
        case _:
            assert_never(shape)


def _constants(options: tuple[tuple[Any, Any], ...]) -> str:
    return ", ".join(str(value) if isinstance(value, Enum) else repr(value) for _, value in options)
