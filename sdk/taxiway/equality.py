"""Equality of a written and a read value: equal values of the same types at all levels."""

from __future__ import annotations

import dataclasses
import sys
from decimal import Decimal
from typing import Any, Final

_BUILT_IN: Final = (str, int, float, bytes, list, tuple, dict, set, frozenset)
_PLAIN: Final = frozenset((str, int, float, bool, type(None), bytes))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and have the same types, including their parts."""
    if type(one) is not type(other):
        return False
    if type(one) in _PLAIN:
        return bool(one == other)
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(_same_pair, one.items(), other.items())) and _same_extras(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other)) and _same_extras(one, other)
    if isinstance(one, set | frozenset):
        theirs = {item: item for item in other}
        return len(one) == len(other) and all(item in theirs and same(item, theirs[item]) for item in one)
    if isinstance(one, Decimal) and one.is_nan():  # NaN equals nothing, and comparing a signaling one raises
        return str(one) == str(other)
    if (parts := _parts(one)) is not None:
        return same(parts, _parts(other))
    return bool(one == other) and _same_extras(one, other) and _same_zone(one, other)


def _same_pair(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return same(one[0], other[0]) and same(one[1], other[1])


def _parts(value: Any) -> dict[str, Any] | None:
    if "pydantic" in sys.modules:
        from taxiway.pydantic_models import parts_of  # noqa: PLC0415 - it imports pydantic

        if (parts := parts_of(value)) is not None:
            return parts
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return None


def _same_extras(one: Any, other: Any) -> bool:
    """Return whether instances of subclasses of built-in types have the same attributes besides their value."""
    return getattr(one, "default_factory", None) is getattr(other, "default_factory", None) and (
        type(one).__module__ == "builtins" or _attributes(one) == _attributes(other)
    )


def _attributes(value: Any) -> dict[str, Any] | None:
    """Return the attributes of an instance of a built-in type's subclass; other classes define equality themselves."""
    return getattr(value, "__dict__", None) if isinstance(value, _BUILT_IN) else None


def _same_zone(one: Any, other: Any) -> bool:
    zone, theirs = getattr(one, "tzinfo", None), getattr(other, "tzinfo", None)
    # A zone of another class than the standard library's reads back as a fixed offset.
    return zone == theirs if hasattr(zone, "key") else True
