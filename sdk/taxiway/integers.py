"""Writes a whole number such as 1.0 as the integer that JSON Schema takes it for, where a model asked for one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any


def with_integers(value: Any, places: Iterable[Sequence[str | int]]) -> Any:
    """Return a JSON value with integers at these places, which a model did not read; None where no place has a whole number."""
    root = [copy.deepcopy(value)]
    found = [_to_integer(root, place) for place in places]
    return root[0] if any(found) else None


def _to_integer(root: list[Any], place: Sequence[str | int]) -> bool:
    holder: Any = root
    key: Any = 0
    for part in place:
        inner = holder[key]
        # A place also names the alternative of a union that was tried, which is no part of the value.
        if (isinstance(inner, dict) and part in inner) or (
            isinstance(inner, list) and isinstance(part, int) and 0 <= part < len(inner)
        ):
            holder, key = inner, part
    number = holder[key]
    if not isinstance(number, float) or not number.is_integer():
        return False
    holder[key] = int(number)
    return True
