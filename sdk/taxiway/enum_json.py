"""JSON of an enum's or a Literal's constants: their values, or the members' names if the values are equal in JSON."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from taxiway.encode import plain
from taxiway.errors import InvalidValue, UnknownType


def constants(annotation: Any, values: tuple[Any, ...]) -> tuple[tuple[Any, Any], ...]:
    """Return pairs of JSON value and constant; raise UnknownType if the JSON values are not distinct."""
    try:
        pairs = tuple((plain(value.value if isinstance(value, Enum) else value), value) for value in values)
        if len({canonical(constant) for constant, _ in pairs}) == len(pairs):
            return pairs
    except InvalidValue:
        pass
    if values and all(isinstance(value, Enum) for value in values):
        names = tuple((value.name, value) for value in values)
        if len({name for name, _ in names}) == len(names):
            return names
    raise UnknownType(f"{annotation}: two of its constants are equal in JSON")


def canonical(value: Any) -> str:
    """Return a text that is equal for values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    return json.dumps(_canonical(value), sort_keys=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return {key: _canonical(item) for key, item in value.items()} if isinstance(value, dict) else value
