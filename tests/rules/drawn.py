"""Annotations drawn from everything that steps support, and values drawn from them."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Planet(Enum):
    EARTH = (5.97e24, 6.37e6)
    MARS = (6.42e23, 3.4e6)


class Odd(Enum):
    TEXT = "x"
    OBJECT = object()


class Size(StrEnum):
    SMALL = "s"
    RED = "red"


class Level(IntEnum):
    LOW = 1
    HIGH = 7


class Right(Flag):
    READ = 1
    WRITE = 2
    SHARE = 4


@dataclass
class Approved:
    reason: str


@dataclass
class Rejected:
    reason: str


@dataclass(frozen=True)
class Animal:
    name: str
    age: float = 0.0


@dataclass(frozen=True)
class Dog(Animal):
    breed: str | None = None


@dataclass(frozen=True)
class Puppy(Dog):
    owner: Approved | Rejected | None = None


@dataclass
class Tree:
    value: Any
    children: list[Tree] = field(default_factory=list)
    shade: Colour | str = Colour.RED


@dataclass
class Trimmed:
    text: str
    length: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.text = self.text.strip()
        self.length = len(self.text)


@dataclass
class Box(Generic[T]):
    held: T


class Point(NamedTuple):
    x: int
    y: float


class Place(NamedTuple):
    x: int
    y: float


class Movie(TypedDict):
    title: str
    year: NotRequired[int | None]


class Name(str):
    __slots__ = ()


class Rows(list[Any]):
    pass


class Counted(dict[int, Any]):
    pass


TEXT = st.one_of(
    st.sampled_from(
        ["", "red", "s", "$taxiway", "value", "2026-01-02", "00000000-0000-0000-0000-000000000005", "P0DT1S", "eA=="]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30)), ZoneInfo("Europe/Berlin")])
MOMENTS = st.datetimes(timezones=ZONES, allow_imaginary=True)

# Annotation, and the strategy of its values.
Drawn = tuple[Any, st.SearchStrategy[Any]]
PLAIN: list[Drawn] = [
    (str, TEXT | st.builds(Name, TEXT) | st.sampled_from(list(Size))),
    (int, st.integers() | st.booleans() | st.sampled_from(list(Level))),
    (float, NUMBER),
    (bool, st.booleans()),
    (None, st.none()),
    (datetime, MOMENTS),
    (date, st.dates() | MOMENTS),
    (time, st.times(timezones=st.sampled_from([None, UTC]))),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False)),
    (bytes, st.binary(max_size=20)),
    (Path, st.sampled_from([Path(), Path("/a/b"), Path("c.txt"), Path("red")])),
    (PurePosixPath, st.just(PurePosixPath("x"))),
    (Literal["a", 1, True, Colour.BLUE], st.sampled_from(["a", 1, True, Colour.BLUE])),
    *((kind, st.sampled_from(list(kind))) for kind in (Colour, Planet, Odd, Size, Level)),
    (Right, st.builds(Right, st.integers(0, 7))),
]
APPROVED, REJECTED = st.builds(Approved, TEXT), st.builds(Rejected, TEXT)
DOG = st.builds(Dog, TEXT, NUMBER, st.none() | TEXT)
ANIMAL = st.builds(Animal, TEXT, NUMBER) | DOG | st.builds(Puppy, TEXT, NUMBER, TEXT, st.none() | APPROVED | REJECTED)
POINT = st.builds(Point, st.integers(), NUMBER)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
WHATEVER = st.recursive(
    JSON
    | MOMENTS
    | st.uuids()
    | st.decimals(allow_nan=False)
    | ANIMAL
    | POINT
    | st.sampled_from([*Colour, *Planet, *Odd, *Level, *Size]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXT | st.sampled_from(list(Size)), inner, max_size=3)
        | st.lists(inner, max_size=2).map(Rows)
        | st.dictionaries(st.integers(), inner, max_size=3).map(Counted)
        | st.fixed_dictionaries({"$taxiway": TEXT, "value": inner})
    ),
    max_leaves=6,
)
TREE = st.deferred(
    lambda: st.builds(Tree, WHATEVER, st.lists(TREE, max_size=2), st.sampled_from([*Colour, "red", "green"]))
)
CLASSES: list[Drawn] = [
    (Any, WHATEVER),
    (Approved, APPROVED),
    (Rejected, REJECTED),
    (Animal, ANIMAL),
    (Dog, DOG),
    (Tree, TREE),
    (Trimmed, st.builds(Trimmed, TEXT)),
    (Box[int], st.builds(Box, WHATEVER)),
    (Point, POINT),
    (Place, st.builds(Place, st.integers(), NUMBER)),
    (Movie, st.fixed_dictionaries({"title": TEXT}, optional={"year": st.none() | st.integers()})),
]


def annotations(more: Sequence[Drawn] = ()) -> st.SearchStrategy[Drawn]:
    """Return the strategy of annotations with the strategies of their values; `more` are further annotations without parts."""
    return st.recursive(st.sampled_from([*PLAIN, *CLASSES, *more]), _composed, max_leaves=5)


def _composed(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    return st.one_of(
        st.builds(_list, inner),
        st.builds(_sequence, inner),
        st.builds(_tuple, inner, inner),
        st.builds(_tuple_of_any_length, inner),
        st.builds(_dict, inner),
        st.builds(_mapping, inner),
        st.builds(_pairs, inner),
        st.builds(_set, st.sampled_from(PLAIN), st.sampled_from([set, frozenset])),
        st.builds(_union, inner, inner),
        st.builds(_union, inner, inner),
    )


def _list(inner: Drawn) -> Drawn:
    return list[inner[0]], st.lists(inner[1], max_size=3)  # type: ignore[name-defined]


def _sequence(inner: Drawn) -> Drawn:
    values = st.lists(inner[1], max_size=3)
    return Sequence[inner[0]], values | values.map(tuple)  # type: ignore[name-defined]


def _tuple(first: Drawn, second: Drawn) -> Drawn:
    return tuple[first[0], second[0]], st.tuples(first[1], second[1])  # type: ignore[name-defined]


def _tuple_of_any_length(inner: Drawn) -> Drawn:
    return tuple[inner[0], ...], st.lists(inner[1], max_size=3).map(tuple)  # type: ignore[name-defined]


def _dict(inner: Drawn) -> Drawn:
    return dict[str, inner[0]], st.dictionaries(TEXT, inner[1], max_size=3)  # type: ignore[name-defined]


def _mapping(inner: Drawn) -> Drawn:
    return Mapping[str, inner[0]], st.dictionaries(TEXT, inner[1], max_size=3)  # type: ignore[name-defined]


def _pairs(inner: Drawn) -> Drawn:
    return dict[int | UUID, inner[0]], st.dictionaries(st.integers() | st.uuids(), inner[1], max_size=3)  # type: ignore[name-defined]


def _set(inner: Drawn, build: Callable[[Any], Any]) -> Drawn:
    return build[inner[0]], st.lists(inner[1], max_size=3).map(build)  # type: ignore[index]


def _union(first: Drawn, second: Drawn) -> Drawn:
    return typing.Union[first[0], second[0]], first[1] | second[1]  # noqa: UP007 - of types that are known only here
