"""Short texts of values for error messages: lists, dataclasses and models by their members, cut short."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from taxiway.encode import type_name

_BRIEF: Final = (Enum, Decimal, UUID, date, time, timedelta, PurePath)
_MOST_MEMBERS: Final = 6


class _ShortRepr(reprlib.Repr):
    """Shows an object of an unknown class by its type: its own text may be long, or contain secrets."""

    maxstring = maxother = 60
    maxlevel = 3

    def repr_bytes(self, x: bytes, level: int) -> str:
        return self.repr_str(x, level)  # type: ignore[arg-type] # it cuts any sequence

    def repr_instance(self, x: object, level: int) -> str:
        if isinstance(x, _BRIEF):
            return super().repr_instance(x, level)
        names = _members(x)
        if names is None or level <= 0:
            return f"<{type_name(x)}>"
        shown = [f"{name}={self.repr1(getattr(x, name), level - 1)}" for name in names[:_MOST_MEMBERS]]
        return f"{type(x).__qualname__}({', '.join(shown + ['...'] * (len(names) > _MOST_MEMBERS))})"


def _members(value: Any) -> list[str] | None:
    """Return the names of the members that a value's own text would show, None for an unknown class."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if field.repr]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value._fields)
    fields = getattr(type(value), "__pydantic_fields__", None)
    return None if fields is None else list(_shown_fields(fields))


def _shown_fields(fields: dict[str, Any]) -> Iterator[str]:
    return (name for name, field in fields.items() if field.repr)


SHORT_REPR: Final = _ShortRepr()
