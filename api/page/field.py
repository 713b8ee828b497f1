"""Fields of a form, by kind; each is named by the path of its value in the answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ROOT = "answer"
MANY_OPTIONS = 6


class Kind(StrEnum):
    """How a person enters a value."""

    LINE = "line"
    LINES = "lines"
    INTEGER = "integer"
    NUMBER = "number"
    TRUTH = "truth"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    CHOICE = "choice"
    CHOICES = "choices"  # any number of options
    LIST = "list"  # one value in each line
    GROUP = "group"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values; forms name it by its index, as a value need not be text."""

    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the answer. A blank one becomes null if null is allowed; otherwise it is missing or left out."""

    kind: Kind
    name: str
    label: str
    hint: str | None = None
    required: bool = True
    nullable: bool = False
    preset: Sequence[str] = ()
    options: Sequence[Option] = ()
    item: Kind = Kind.LINE
    fields: "Sequence[Field]" = ()
    listed: bool = False  # a group whose value is a list with all of its members
    default: Any = None
    schema: str | None = None

    @property
    def id(self) -> str:
        """The identifier of its HTML element, without the characters of the name that an identifier cannot have."""
        return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}", f"field-{self.name}")

    @property
    def may_be_blank(self) -> bool:
        """Whether a person may leave it blank; an empty list is a valid list."""
        return not self.required or self.nullable or self.kind in (Kind.LIST, Kind.CHOICES)

    @property
    def offered(self) -> list[tuple[str, str]]:
        """The options: what the form sends, and its label. An optional choice can be undone."""
        if self.kind is Kind.TRUTH:
            choices = [("true", "Yes"), ("false", "No")]
        else:
            choices = [(str(place), option.label) for place, option in enumerate(self.options)]
        one_of_few = self.kind is Kind.TRUTH or (self.kind is Kind.CHOICE and not self.many)
        return [*choices, ("", "No answer")] if one_of_few and self.may_be_blank else choices

    @property
    def many(self) -> bool:
        """Whether there are too many options for radio buttons."""
        return len(self.options) > MANY_OPTIONS

    def leaves(self) -> "Iterator[Field]":
        """Yield the field itself, or the fields of a group that people fill in."""
        if self.kind is not Kind.GROUP:
            yield self
        for inner in self.fields:
            yield from inner.leaves()
