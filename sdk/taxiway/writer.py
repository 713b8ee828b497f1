"""Writer of one value: its reader, and whether the written form must be read back as a proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from taxiway.encode import Unfit, checked_text, type_name
from taxiway.shape_names import described
from taxiway.shapes import Shape
from taxiway.tags import TAG

_TOO_DEEP: Final = "is nested deeper than 200 levels, or contains itself"


class Reader(StrEnum):
    """Reader of a written value."""

    RECORD = "record"
    RESULT = "result"
    INPUT = "input"


class Ambiguous(Unfit):
    """A value that would read back as another one, in a place without tags."""


class Writer:
    """Writes one value. `doubtful` is set if only reading the written form back can prove it right."""

    def __init__(
        self, reader: Reader, functions: Mapping[type, Callable[..., Any]], *, takes_everything: bool = False
    ) -> None:
        self.reader = reader
        self.takes_everything = takes_everything
        self.has_tags = reader is not Reader.INPUT
        self.doubtful = False
        self._functions = functions

    def write(self, shape: Shape, value: Any, depth: int) -> Any:
        """Return the value in JSON's own types; raise Unfit with the path to a part that cannot be written."""
        if depth <= 0:
            raise Unfit(_TOO_DEEP)
        return self._functions[type(shape)](self, shape, value, depth - 1)

    def for_parts(self) -> Writer:
        """Return a writer of an object's parts, which accepts sets and dicts with any keys as well."""
        return Writer(Reader.RECORD, self._functions, takes_everything=True)


def unlike(shape: Shape, value: Any) -> Unfit:
    """Return the error of a value that does not fit its annotation."""
    return Unfit(f"expected {described(shape)}, got {_seen(value)}")


def _seen(value: Any) -> str:
    if value is None or type(value) in (bool, int, float, str):
        return f"{value!r:.80}"
    return type_name(value)


def has_plain_keys(value: dict[Any, Any]) -> bool:
    """Return whether a JSON object can hold the dict unchanged."""
    return all(type(key) is str for key in value) and TAG not in value


def items_of(value: Iterable[Any], write: Callable[[Any], Any]) -> list[Any]:
    """Write the items of a list."""
    items: list[Any] = []
    for item in value:
        try:
            items.append(write(item))
        except Unfit as unfit:
            unfit.trail.append(len(items))
            raise
    return items


def members_of(value: Mapping[Any, Any], write: Callable[[Any], Any]) -> dict[str, Any]:
    """Write the members of an object."""
    members: dict[str, Any] = {}
    for key, item in value.items():
        name = checked_text(key)
        try:
            members[name] = write(item)
        except Unfit as unfit:
            unfit.trail.append(name)
            raise
    return members
