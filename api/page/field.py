"""What a form asks for: fields by kind, each named by the path of the value that it gives."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ROOT = "answer"
MANY_OPTIONS = 6


class Kind(StrEnum):
    """How a value is given."""

    LINE = "line"
    LINES = "lines"
    INTEGER = "integer"
    NUMBER = "number"
    TRUTH = "truth"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    CHOICE = "choice"
    CHOICES = "choices"  # any number of them
    LIST = "list"  # one value in each line
    GROUP = "group"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values; forms name it by its place, as a value may be no text."""

    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One value that is asked for. When it is left blank it is null if that is allowed, else missing or left out."""

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
    listed: bool = False  # a group whose value is a list of its members, each of which it must have
    default: Any = None
    schema: str | None = None

    @property
    def id(self) -> str:
        """The identifier of its element in the page; a name may hold what an identifier cannot."""
        return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}", f"field-{self.name}")

    @property
    def may_be_blank(self) -> bool:
        """Whether a person need not give it; an empty list is a list."""
        return not self.required or self.nullable or self.kind in (Kind.LIST, Kind.CHOICES)

    @property
    def offered(self) -> list[tuple[str, str]]:
        """What a person chooses from: what the form sends, and what they read. A choice that is optional can be undone."""
        if self.kind is Kind.TRUTH:
            choices = [("true", "Yes"), ("false", "No")]
        else:
            choices = [(str(place), option.label) for place, option in enumerate(self.options)]
        one_of_few = self.kind is Kind.TRUTH or (self.kind is Kind.CHOICE and not self.many)
        return [*choices, ("", "No answer")] if one_of_few and self.may_be_blank else choices

    @property
    def many(self) -> bool:
        """Whether the options are too many to stand side by side."""
        return len(self.options) > MANY_OPTIONS

    def leaves(self) -> "Iterator[Field]":
        """Give the field, or those inside it that people fill in."""
        if self.kind is not Kind.GROUP:
            yield self
        for inner in self.fields:
            yield from inner.leaves()
