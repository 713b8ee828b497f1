"""Integers for models: JSON Schema accepts a whole number such as 1.0 as an integer, and strict models do not."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any


def with_integers(value: Any, places: Iterable[Sequence[str | int]]) -> Any:
    """Return a JSON value with integers at the places that a model refused, None if none of them has a whole number."""
    root = [copy.deepcopy(value)]
    found = [_to_integer(root, place) for place in places]
    return root[0] if any(found) else None


def _to_integer(root: list[Any], place: Sequence[str | int]) -> bool:
    holder: Any = root
    key: Any = 0
    for part in place:
        inner = holder[key]
        # A place also contains the tried alternative of a union, which is not a part of the value.
        if (isinstance(inner, dict) and part in inner) or (
            isinstance(inner, list) and isinstance(part, int) and 0 <= part < len(inner)
        ):
            holder, key = inner, part
    number = holder[key]
    if not isinstance(number, float) or not number.is_integer():
        return False
    holder[key] = int(number)
    return True
