"""Shapes of values by their own types, for values without an annotation that tells their type."""

from __future__ import annotations

import functools
from typing import Any, Final

from taxiway.annotation_shapes import shape_of
from taxiway.errors import UnknownType
from taxiway.shapes import Anything, Bag, Pairs, Scalar, Sequence, Shape
from taxiway.tags import find, name_of

_ANY: Final = Anything()
_OPEN: Final[dict[type, Shape]] = {
    tuple: Sequence(_ANY, tuple, tuple),
    list: Sequence(_ANY, list, list),
    set: Bag(_ANY, set, set),
    frozenset: Bag(_ANY, frozenset, frozenset),
    dict: Pairs(_ANY, _ANY),
    **{kind: Scalar(kind) for kind in (str, int, float, bool)},
}
_BASES: Final = (str, int, float, bytes, list, tuple, dict, set, frozenset)


@functools.lru_cache(maxsize=1024)
def shape_for(kind: Any) -> Shape | None:
    """Return the shape of a type's values, None if it has none."""
    if kind in _OPEN:
        return _OPEN[kind]
    try:
        return shape_of(kind)
    except (UnknownType, TypeError):
        return None


def base_for(kind: type) -> Shape | None:
    """Return the shape of the built-in type that a type is derived from, None for other types."""
    base = next((base for base in _BASES if issubclass(kind, base)), None)
    return None if base is None else shape_for(base)


def base_of(kind: type) -> type:
    """Return the built-in type that a subclass is derived from."""
    return next(base for base in _BASES if issubclass(kind, base))


@functools.lru_cache(maxsize=1024)
def is_found(kind: type) -> bool:
    """Return whether the name of a type leads back to it."""
    try:
        return find(name_of(kind), importing=True) is kind
    except LookupError:
        return False
