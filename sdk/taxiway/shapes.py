"""Shapes: the few forms into which type annotations are read, for the schema, the writers and the readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag
from typing import Any

from taxiway.text_types import Parsed


@dataclass(frozen=True)
class Anything:
    """Any JSON value, unchanged."""


@dataclass(frozen=True)
class Scalar:
    """A JSON value without parts: `kind` is str, int, float, bool or NoneType."""

    kind: type


@dataclass(frozen=True)
class Choice:
    """One of several constants: (JSON value, Python value); `kind` is their enum, if any."""

    options: tuple[tuple[Any, Any], ...]
    kind: type | None = None


@dataclass(frozen=True)
class Bits:
    """A combination of an enum's flags, as an integer in JSON."""

    kind: type[Flag]


@dataclass(frozen=True)
class Sequence:
    """A list (or a tuple of any length) of one shape; `takes` are further types that its annotation allows."""

    item: Shape
    build: Any
    takes: Any


@dataclass(frozen=True)
class Bag:
    """A set of one shape, as a sorted list in JSON; `takes` are further types that its annotation allows."""

    item: Shape
    build: Any
    takes: Any


@dataclass(frozen=True)
class Fixed:
    """A tuple of fixed length; a NamedTuple has a `build` of its own."""

    items: tuple[Shape, ...]
    build: Callable[[list[Any]], Any]
    kind: Any = tuple


@dataclass(frozen=True)
class Table:
    """A dict from texts to one shape; `takes` are further types that its annotation allows."""

    value: Shape
    takes: Any = dict


@dataclass(frozen=True)
class Pairs:
    """A dict whose keys are not texts, as a list of pairs in JSON."""

    key: Shape
    value: Shape


@dataclass(frozen=True)
class OneOf:
    """A union; the first shape that fits wins."""

    options: tuple[Shape, ...]


@dataclass(frozen=True)
class Field:
    """A member of a record; `annotation` is read on demand, so that a type may contain itself."""

    name: str
    annotation: Any
    required: bool
    init: bool = True


@dataclass(frozen=True)
class Record:
    """A dataclass or a TypedDict; one that is not `simple` may change its fields when it is built."""

    kind: type
    fields: tuple[Field, ...]
    build: Callable[..., Any]
    simple: bool = True


@dataclass(frozen=True)
class Model:
    """A pydantic model, or another class that pydantic knows; pydantic writes its schema and reads it."""

    kind: Any


Shape = Anything | Scalar | Parsed | Choice | Bits | Sequence | Bag | Fixed | Table | Pairs | OneOf | Record | Model
