"""Turns what an agent returns into JSON text, or says where JSON cannot hold it.

Beside JSON's own types it takes tuples, dataclasses, enums, dates, times, UUIDs and pydantic models; `decode` rebuilds
them from a type annotation. It refuses what would come back as something else (sets, keys that are no text) and what no
reader can be relied on to take (NaN, Infinity, NUL, half a surrogate pair).
"""

from __future__ import annotations

import dataclasses
import json
import math
import uuid
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final

from taxiway.errors import InvalidValue

MAX_DEPTH: Final = 200
_MAX_INTEGER_BITS: Final = 14_000  # Python itself reads no integer of more than 4,300 digits
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_text(value: object) -> str:
    """Return `value` as compact JSON text; raise InvalidValue with the path to what JSON cannot hold."""
    return _ENCODER.encode(plain(value))


def plain(value: object) -> Any:
    """Return `value` as JSON's own types; raise InvalidValue with the path to what JSON cannot hold."""
    try:
        return _plain(value, MAX_DEPTH)
    except _Unfit as unfit:
        raise InvalidValue(unfit.path(), unfit.problem) from None


def rich_to_plain(value: object) -> Any:
    """Return the JSON form of one dataclass, enum, date, time, UUID or pydantic model (its parts not yet converted).

    Raises TypeError for everything else.
    """
    match value:
        case Enum():
            return value.value
        case datetime() | date() | time():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None and hasattr(type(value), "model_json_schema"):
        return dump(mode="json")
    raise TypeError(f"{type_name(value)} is not JSON")


def type_name(value: object) -> str:
    """Return the name of a value's type, with its module unless it is built in."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class _Unfit(Exception):
    """Collects the path to a place from the inside out."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.trail: list[str | int] = []

    def path(self) -> str:
        return "$" + "".join(map(place, reversed(self.trail)))


def place(key: str | int) -> str:
    """Return how a path writes one of its steps."""
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{json.dumps(key)}]"


def _plain(value: object, depth: int) -> Any:  # noqa: C901 - one line for each kind of value
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):  # before str and int: a StrEnum is both
        return _plain(value.value, depth - 1)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value)
    if depth <= 0:
        raise _Unfit(f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, Mapping):
        return _members(value, depth - 1)
    if isinstance(value, list | tuple):
        return _items(value, depth - 1)
    try:
        return _plain(rich_to_plain(value), depth - 1)
    except _Unfit:
        raise
    except Exception as error:  # noqa: BLE001 - also what a model's own serialiser raises
        raise _Unfit(str(error)) from None


def _members(value: Mapping[Any, object], depth: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _Unfit(f"key {key!r:.80} is {type_name(key)}, JSON keys are text")
        name = _text(key)
        try:
            members[name] = _plain(item, depth)
        except _Unfit as unfit:
            unfit.trail.append(name)
            raise
    return members


def _items(value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    items: list[Any] = []
    for item in value:
        try:
            items.append(_plain(item, depth))
        except _Unfit as unfit:
            unfit.trail.append(len(items))
            raise
    return items


def _text(value: str) -> str:
    text = str.__str__(value.value if isinstance(value, Enum) else value)
    if "\0" in text:
        raise _Unfit("text contains the NUL character, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Unfit("text contains half a surrogate pair, which is not Unicode") from None
    return text


def _integer(value: int) -> int:
    if value.bit_length() > _MAX_INTEGER_BITS:
        raise _Unfit("integer of more than 4,000 digits")
    return int(value)


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise _Unfit("NaN is not JSON" if math.isnan(value) else "Infinity is not JSON")
    return float(value)
