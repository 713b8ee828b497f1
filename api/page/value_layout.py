"""Layout of a JSON value for reading: records, lists, tables, texts. Too large or too deep values stay JSON, folded.

Nothing is cut: people are responsible for what they approve.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

DEEPEST = 6
MOST_PARTS = 1500
_LONG_TEXT, _MANY_LINES, _BEGINNING = 600, 12, 160
_WIDEST_TABLE, _WIDEST_CELL = 5, 40


@dataclass(frozen=True, slots=True)
class Word:
    """A value of one word: a number, yes or no, or an empty value."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text; a long one is folded behind its beginning."""

    text: str
    beginning: str | None = None
    kind: ClassVar = "text"


@dataclass(frozen=True, slots=True)
class Record:
    """Named values."""

    members: "Sequence[tuple[str, Node]]"
    kind: ClassVar = "record"


@dataclass(frozen=True, slots=True)
class Listing:
    """An ordered list of values."""

    items: "Sequence[Node]"
    kind: ClassVar = "listing"


@dataclass(frozen=True, slots=True)
class Table:
    """Records that share the same few, short members."""

    columns: Sequence[str]
    rows: "Sequence[Sequence[Node]]"
    kind: ClassVar = "table"


@dataclass(frozen=True, slots=True)
class Json:
    """A value shown as folded JSON."""

    text: str
    kind: ClassVar = "json"


Node = Word | Text | Record | Listing | Table | Json


def laid_out(value: Any) -> Node:
    """Return the layout of any JSON value."""
    return _Layout().node(value, DEEPEST)


class _Layout:
    """Counts the parts of one page, so that a value of a hundred thousand numbers does not become as many HTML elements."""

    def __init__(self) -> None:
        self._left = MOST_PARTS

    def node(self, value: Any, depth: int) -> Node:
        """Lay out a value with at most `depth` levels below it."""
        self._left -= 1
        if value in ({}, []):
            return Word("nothing", "no entries")
        if isinstance(value, dict | list):
            return self._parts(value, depth) if depth and len(value) <= self._left else Json(_json(value))
        if isinstance(value, str) and value:
            return Text(value, _beginning(value))
        return _word(value)

    def _parts(self, value: dict[str, Any] | list[Any], depth: int) -> Node:
        if isinstance(value, dict):
            return Record([(name or '""', self.node(item, depth - 1)) for name, item in value.items()])
        if columns := _columns(value):
            return Table(columns, [[self.node(row[name], depth - 1) for name in columns] for row in value])
        return Listing([self.node(item, depth - 1) for item in value])


def _word(value: Any) -> Node:
    if isinstance(value, bool):
        return Word("truth", "yes" if value else "no")
    if isinstance(value, int | float):
        return Word("number", json.dumps(value))
    return Word("nothing", "none" if value is None else "empty text")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _beginning(text: str) -> str | None:
    if len(text) <= _LONG_TEXT and text.count("\n") < _MANY_LINES:
        return None
    return " ".join(text[: 4 * _BEGINNING].split())[:_BEGINNING]


def _columns(rows: list[Any]) -> list[str]:
    """Return the columns of the table that these rows make; empty if a table would not suit them."""
    alike = len(rows) > 1 and all(isinstance(row, dict) for row in rows)
    if (
        not alike
        or not 1 < len(rows[0]) <= _WIDEST_TABLE
        or any(list(one) != list(next_) for one, next_ in pairwise(rows))
    ):
        return []
    return list(rows[0]) if all(_is_short(cell) for cell in _cells(rows)) else []


def _cells(rows: list[dict[str, Any]]) -> Iterator[Any]:
    for row in rows:
        yield from row.values()


def _is_short(value: Any) -> bool:
    return not isinstance(value, dict | list) and (not isinstance(value, str) or len(value) <= _WIDEST_CELL)
