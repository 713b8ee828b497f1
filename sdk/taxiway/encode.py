"""Plain JSON of a value, for people and other programs; an error names the path to a value that JSON cannot hold.

It accepts JSON's own types, tuples, dataclasses, enums, pydantic models and types that are written as one text (dates,
UUIDs, Decimal, bytes …). It refuses sets, keys that are not text, and values that many readers refuse (NaN, Infinity, NUL,
half a surrogate pair). `codec` writes values that must read back as the same value.
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
from taxiway.text_types import parsed_of

MAX_DEPTH: Final = 200
_MAX_INTEGER_BITS: Final = 14_000  # Python itself reads no integer of more than 4,300 digits
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_text(value: object) -> str:
    """Return `value` as compact JSON text; raise InvalidValue with the path to a value that JSON cannot hold."""
    return json_of(plain(value))


def json_of(value: Any) -> str:
    """Return a value of JSON's own types as compact JSON text."""
    return _ENCODER.encode(value)


def plain(value: object) -> Any:
    """Return `value` in JSON's own types; raise InvalidValue with the path to a value that JSON cannot hold."""
    try:
        return plain_at(value, MAX_DEPTH)
    except Unfit as unfit:
        raise InvalidValue(unfit.path(), unfit.problem) from None


def rich_to_plain(value: object) -> Any:
    """Return the JSON form of one dataclass, enum, date, time, UUID or pydantic model, with its parts not yet converted.

    Raises TypeError for any other type.
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


class Unfit(Exception):
    """A value that cannot be written; collects the path to it from the inside out."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.trail: list[str | int] = []

    def path(self) -> str:
        return "$" + "".join(map(place, reversed(self.trail)))


def place(key: str | int) -> str:
    """Return one key or index as a path writes it."""
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{json.dumps(key)}]"


def plain_at(value: object, depth: int) -> Any:  # noqa: C901 - one line for each kind of value
    """Return `value` in JSON's own types, at most `depth` levels deep; raise Unfit."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):  # before str and int: a StrEnum is both
        return plain_at(value.value, depth - 1)
    if isinstance(value, str):
        return checked_text(value)
    if isinstance(value, int):
        return checked_integer(value)
    if isinstance(value, float):
        return checked_number(value)
    if depth <= 0:
        raise Unfit(f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, Mapping):
        return _members(value, depth - 1)
    if isinstance(value, list | tuple):
        return _items(value, depth - 1)
    if (parsed := parsed_of(type(value))) is not None:
        return checked_text(parsed.write(value))
    try:
        return plain_at(rich_to_plain(value), depth - 1)
    except Unfit:
        raise
    except Exception as error:  # noqa: BLE001 - a model's own serialiser may raise anything
        raise Unfit(str(error)) from None


def _members(value: Mapping[Any, object], depth: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise Unfit(f"key {key!r:.80} is {type_name(key)}, JSON keys are text")
        name = checked_text(key)
        try:
            members[name] = plain_at(item, depth)
        except Unfit as unfit:
            unfit.trail.append(name)
            raise
    return members


def _items(value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    items: list[Any] = []
    for item in value:
        try:
            items.append(plain_at(item, depth))
        except Unfit as unfit:
            unfit.trail.append(len(items))
            raise
    return items


def checked_text(value: str) -> str:
    """Return a text as plain `str`; raise Unfit for characters that many readers refuse."""
    text = str.__str__(value.value if isinstance(value, Enum) else value)
    if "\0" in text:
        raise Unfit("text contains the NUL character, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unfit("text contains half a surrogate pair, which is not Unicode") from None
    return text


def checked_integer(value: int) -> int:
    """Return an integer as plain `int`; raise Unfit if it is too large to be read."""
    if value.bit_length() > _MAX_INTEGER_BITS:
        raise Unfit("integer of more than 4,000 digits")
    return int(value)


def checked_number(value: float) -> float:
    """Return a number as plain `float`; raise Unfit for NaN and Infinity."""
    if not math.isfinite(value):
        raise Unfit("NaN is not JSON" if math.isnan(value) else "Infinity is not JSON")
    return float(value)
