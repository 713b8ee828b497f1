"""Shapes of type annotations, each read once."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import types
import typing
from enum import Enum, Flag
from typing import Any, Final, Literal, Union, get_args, get_origin

from taxiway.enum_json import constants
from taxiway.errors import UnknownType
from taxiway.shapes import (
    Anything,
    Bag,
    Bits,
    Choice,
    Field,
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
from taxiway.text_types import parsed_of

_SEQUENCES: Final[dict[Any, type]] = {
    list: list,
    collections.abc.Sequence: collections.abc.Sequence,
    collections.abc.MutableSequence: collections.abc.MutableSequence,
    collections.abc.Iterable: collections.abc.Iterable,
    collections.abc.Collection: collections.abc.Collection,
}
_TABLES: Final[dict[Any, type]] = {
    dict: dict,
    collections.abc.Mapping: collections.abc.Mapping,
    collections.abc.MutableMapping: collections.abc.MutableMapping,
}
_BAGS: Final[dict[Any, tuple[type, type]]] = {
    set: (set, set),
    frozenset: (frozenset, frozenset),
    collections.abc.Set: (set, collections.abc.Set),
    collections.abc.MutableSet: (set, collections.abc.MutableSet),
}
_QUALIFIERS: Final = tuple(
    getattr(typing, name)
    for name in ("Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
    if hasattr(typing, name)
)
_WITHOUT_A_TYPE: Final = (Any, object, typing.Self, typing.Never, typing.NoReturn)
_UNHASHABLE: Final = (Sequence, Bag, Table, Pairs)


def shape_of(annotation: Any) -> Shape:
    """Return the shape of a resolved annotation; raise UnknownType for a type without a counterpart in JSON."""
    try:
        return _known_shape(annotation)
    except UnknownType:
        raise
    except TypeError:  # an annotation that cannot be hashed, such as Annotated[int, {}]
        return _shape(annotation)
    except RecursionError:
        raise UnknownType(f"{annotation!r:.80} contains itself; a dataclass may do that") from None


def _shape(annotation: Any) -> Shape:
    if annotation in (None, type(None), str, int, float, bool):
        return Scalar(type(None) if annotation is None else annotation)
    if annotation in _WITHOUT_A_TYPE:
        return Anything()
    if isinstance(annotation, typing.TypeVar):
        return _type_variable(annotation)
    if isinstance(annotation, typing.NewType):
        return shape_of(annotation.__supertype__)
    if hasattr(annotation, "__value__"):  # `type X = …` of Python 3.12
        return shape_of(annotation.__value__)
    if (origin := get_origin(annotation)) is not None:
        return _generic(annotation, origin)
    return parsed_of(annotation) or _plain_class(annotation)


_known_shape = functools.lru_cache(maxsize=1024)(_shape)


def hints_of(owner: Any) -> dict[str, Any]:
    """Return the resolved annotations of a class or function; raise UnknownType if a name in them is not defined."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise UnknownType(
            f"the annotations of {getattr(owner, '__qualname__', owner)} cannot be read: {error}"
        ) from error


def _type_variable(variable: Any) -> Shape:
    if variable.__constraints__:
        return OneOf(tuple(map(shape_of, variable.__constraints__)))
    return Anything() if variable.__bound__ is None else shape_of(variable.__bound__)


def _generic(annotation: Any, origin: Any) -> Shape:
    arguments = get_args(annotation)
    if origin in _QUALIFIERS:
        return shape_of(arguments[0])
    if origin in (Union, types.UnionType):
        return OneOf(tuple(map(shape_of, arguments)))
    if origin is Literal:
        return Choice(constants(annotation, arguments))
    if isinstance(origin, type) and (dataclasses.is_dataclass(origin) or _is_known_to_pydantic(annotation)):
        return _plain_class(annotation if _is_known_to_pydantic(annotation) else origin)
    if hasattr(origin, "__value__"):  # `type X[T] = …` of Python 3.12
        return shape_of(origin.__value__[arguments])
    return _container(annotation, origin, arguments)


def _container(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is ...:
            return Sequence(shape_of(arguments[0]), tuple, tuple)
        return Fixed(tuple(map(shape_of, arguments)), tuple)
    if origin in _SEQUENCES:
        return Sequence(shape_of(arguments[0]), list, _SEQUENCES[origin])
    if origin in _BAGS:
        item = shape_of(arguments[0])
        if isinstance(item, _UNHASHABLE) and not (isinstance(item, Sequence) and item.build is tuple):
            raise UnknownType(f"{annotation}: a set cannot hold values that can change")
        return Bag(item, *_BAGS[origin])
    if origin in _TABLES:
        key = shape_of(arguments[0])
        if key in (Scalar(str), Anything()):
            return Table(shape_of(arguments[1]), _TABLES[origin])
        return Pairs(key, shape_of(arguments[1]))
    raise UnknownType(f"{annotation} has no counterpart in JSON")


def _plain_class(annotation: Any) -> Shape:  # noqa: C901 - one line for each kind of class
    if annotation in _SEQUENCES:
        return Sequence(Anything(), list, _SEQUENCES[annotation])
    if annotation is tuple:
        return Sequence(Anything(), tuple, tuple)
    if annotation in _TABLES:
        return Table(Anything(), _TABLES[annotation])
    if annotation in _BAGS:
        raise UnknownType(
            f"{annotation.__qualname__} lacks the type of its items: write {annotation.__qualname__}[str]"
        )
    if not isinstance(annotation, type):
        raise UnknownType(f"{annotation!r} has no counterpart in JSON")
    if issubclass(annotation, Flag):
        return Bits(annotation)
    if issubclass(annotation, Enum):
        return Choice(constants(annotation, tuple(annotation)), annotation)
    if _is_known_to_pydantic(annotation):
        return _model(annotation)
    if dataclasses.is_dataclass(annotation):
        return _dataclass(annotation)
    if typing.is_typeddict(annotation):
        return _typed_dict(annotation)
    if issubclass(annotation, tuple) and hasattr(annotation, "_make"):
        return _named_tuple(annotation)
    raise UnknownType(f"{annotation.__qualname__} has no counterpart in JSON")


def _named_tuple(kind: Any) -> Fixed:
    hints = hints_of(kind)
    return Fixed(tuple(shape_of(hints.get(name, Any)) for name in kind._fields), kind._make, kind)


def _is_known_to_pydantic(annotation: Any) -> bool:
    return isinstance(annotation, type) and (
        hasattr(annotation, "__get_pydantic_core_schema__") or hasattr(annotation, "__is_pydantic_dataclass__")
    )


def _model(kind: Any) -> Model:
    from taxiway.pydantic_models import check  # noqa: PLC0415 - it needs pydantic, which agents without models may lack

    check(kind)
    return Model(kind)


def _dataclass(kind: Any) -> Record:
    hints = hints_of(kind)
    missing = dataclasses.MISSING
    fields = tuple(
        Field(
            field.name,
            hints[field.name],
            required=field.init and field.default is missing and field.default_factory is missing,
            init=field.init,
        )
        for field in dataclasses.fields(kind)
    )
    return Record(kind, fields, kind, all(field.init for field in fields) and _is_built_of_its_fields(kind))


def _is_built_of_its_fields(kind: Any) -> bool:
    """Return whether its `__init__` is the generated one and sets its fields only."""
    code = getattr(kind.__init__, "__code__", None)
    return code is not None and code.co_filename == "<string>" and not hasattr(kind, "__post_init__")


def _typed_dict(kind: Any) -> Record:
    fields = (Field(name, hint, _is_required(kind, name, hint)) for name, hint in hints_of(kind).items())
    return Record(kind, tuple(fields), dict)


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    # Python itself does not see NotRequired in annotations that are texts.
    while (origin := get_origin(hint)) in _QUALIFIERS:
        if origin in (typing.Required, typing.NotRequired):
            return origin is typing.Required
        hint = get_args(hint)[0]
    return name in kind.__required_keys__
