"""Reads a type annotation once, into the few shapes that the schema and the decoder both understand."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID


class UnknownType(TypeError):
    """An annotation that no JSON value can be given for."""


@dataclass(frozen=True)
class Anything:
    """Any JSON value, handed over as it is."""


@dataclass(frozen=True)
class Scalar:
    """A JSON value without parts: `kind` is str, int, float, bool or NoneType."""

    kind: type


@dataclass(frozen=True)
class Parsed:
    """A text with a format, read by `parse`."""

    format: str
    kind: type
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Choice:
    """One of several constants: (JSON value, Python value)."""

    options: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class Sequence:
    """A list (or a tuple of any length) of one shape."""

    item: Shape
    build: type


@dataclass(frozen=True)
class Fixed:
    """A tuple of fixed length; a NamedTuple has a `build` of its own."""

    items: tuple[Shape, ...]
    build: Callable[[list[Any]], Any]


@dataclass(frozen=True)
class Table:
    """A dict from texts to one shape."""

    value: Shape


@dataclass(frozen=True)
class OneOf:
    """A union; the first shape that fits wins."""

    options: tuple[Shape, ...]


@dataclass(frozen=True)
class Field:
    """A member of a record; `annotation` is read when needed, so that a type may contain itself."""

    name: str
    annotation: Any
    required: bool
    init: bool = True


@dataclass(frozen=True)
class Record:
    """A dataclass or a TypedDict."""

    kind: type
    fields: tuple[Field, ...]
    build: Callable[..., Any]


@dataclass(frozen=True)
class Model:
    """A pydantic model, which knows its own schema and how to read itself."""

    kind: Any


Shape = Anything | Scalar | Parsed | Choice | Sequence | Fixed | Table | OneOf | Record | Model


def _moment(text: str) -> datetime:
    if len(text) <= len("2026-01-02"):  # a date alone is no time, whatever Python reads it as
        raise ValueError(text)
    return datetime.fromisoformat(text)


_PARSED: Final[dict[Any, Parsed]] = {
    datetime: Parsed("date-time", datetime, _moment),
    date: Parsed("date", date, date.fromisoformat),
    time: Parsed("time", time, time.fromisoformat),
    UUID: Parsed("uuid", UUID, UUID),
}
_SEQUENCES: Final = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_TABLES: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def shape_of(annotation: Any) -> Shape:
    """Return the shape of a resolved annotation; raise UnknownType for what JSON has no counterpart of."""
    try:
        return _known_shape(annotation)
    except UnknownType:
        raise
    except TypeError:  # an annotation that cannot be hashed, such as Annotated[int, {}]
        return _shape(annotation)


def _shape(annotation: Any) -> Shape:
    if annotation is Any or annotation is object:
        return Anything()
    if annotation in (None, type(None), str, int, float, bool):
        return Scalar(type(None) if annotation is None else annotation)
    if isinstance(annotation, typing.NewType):
        return shape_of(annotation.__supertype__)
    if hasattr(annotation, "__value__"):  # `type X = …` of Python 3.12
        return shape_of(annotation.__value__)
    if (origin := get_origin(annotation)) is not None:
        return _generic(annotation, origin)
    return _PARSED.get(annotation) or _plain_class(annotation)


_known_shape = functools.lru_cache(maxsize=1024)(_shape)


def hints_of(owner: Any) -> dict[str, Any]:
    """Return the resolved annotations of a class or function; raise UnknownType when a name in them is not defined."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise UnknownType(
            f"the annotations of {getattr(owner, '__qualname__', owner)} cannot be read: {error}"
        ) from error


def _generic(annotation: Any, origin: Any) -> Shape:
    arguments = get_args(annotation)
    if origin is typing.Annotated or origin in (typing.Required, typing.NotRequired):
        return shape_of(arguments[0])
    if origin in (Union, types.UnionType):
        return OneOf(tuple(map(shape_of, arguments)))
    if origin is Literal:
        return Choice(tuple((value.value if isinstance(value, Enum) else value, value) for value in arguments))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is ...:
            return Sequence(shape_of(arguments[0]), tuple)
        return Fixed(tuple(map(shape_of, arguments)), tuple)
    if origin in _SEQUENCES:
        return Sequence(shape_of(arguments[0]), list)
    if origin in _TABLES:
        if shape_of(arguments[0]) not in (Scalar(str), Anything()):
            raise UnknownType(f"{annotation}: JSON keys are text")
        return Table(shape_of(arguments[1]))
    if isinstance(origin, type) and (dataclasses.is_dataclass(origin) or _is_model(annotation)):
        return _plain_class(annotation if _is_model(annotation) else origin)
    raise UnknownType(f"{annotation} has no counterpart in JSON")


def _plain_class(annotation: Any) -> Shape:
    if annotation in _SEQUENCES:
        return Sequence(Anything(), list)
    if annotation is tuple:
        return Sequence(Anything(), tuple)
    if annotation in _TABLES:
        return Table(Anything())
    if not isinstance(annotation, type):
        raise UnknownType(f"{annotation!r} has no counterpart in JSON")
    if issubclass(annotation, Enum):
        return Choice(tuple((member.value, member) for member in annotation))
    if _is_model(annotation):
        return Model(annotation)
    if dataclasses.is_dataclass(annotation):
        return _dataclass(annotation)
    if typing.is_typeddict(annotation):
        return _typed_dict(annotation)
    if issubclass(annotation, tuple) and hasattr(annotation, "_make"):
        return _named_tuple(annotation)
    raise UnknownType(f"{annotation.__qualname__} has no counterpart in JSON")


def _named_tuple(kind: Any) -> Fixed:
    hints = hints_of(kind)
    return Fixed(tuple(shape_of(hints.get(name, Any)) for name in kind._fields), kind._make)


def _is_model(annotation: Any) -> bool:
    return (
        isinstance(annotation, type)
        and hasattr(annotation, "model_json_schema")
        and hasattr(annotation, "model_validate")
    )


def _dataclass(kind: Any) -> Record:
    hints = hints_of(kind)
    missing = dataclasses.MISSING
    fields = (
        Field(
            field.name,
            hints[field.name],
            required=field.init and field.default is missing and field.default_factory is missing,
            init=field.init,
        )
        for field in dataclasses.fields(kind)
    )
    return Record(kind, tuple(fields), kind)


def _typed_dict(kind: Any) -> Record:
    fields = (Field(name, hint, name in kind.__required_keys__) for name, hint in hints_of(kind).items())
    return Record(kind, tuple(fields), dict)
