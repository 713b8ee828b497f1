"""Values converted to JSON text and back."""

from __future__ import annotations

import json
import math
import typing
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, TypedDict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway.annotation_shapes import shape_of
from taxiway.decode import decode, rebuild
from taxiway.encode import MAX_DEPTH, json_text
from taxiway.errors import InvalidValue, UnknownType


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Size(StrEnum):
    SMALL = "s"


class Level(IntEnum):
    LOW = 1


@dataclass
class Line:
    sku: str
    price: float
    count: int = 1


@dataclass(frozen=True)
class Order:
    id: UUID
    lines: list[Line]
    made: datetime
    colour: Colour
    parent: Order | None = None
    tags: dict[str, tuple[int, ...]] = field(default_factory=dict)
    total: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum((line.price for line in self.lines), 0.0))


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


ORDER = Order(
    UUID(int=7),
    [Line("a", 1.5), Line("b", 2.0, 3)],
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    Colour.BLUE,
    tags={"x": (1, 2)},
)
HUGE = [10**5000]  # pytest cannot name a case after the bare number
UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Order, ORDER),
        (Order, Order(UUID(int=1), [], datetime(2026, 1, 1, tzinfo=UTC), Colour.RED, parent=ORDER)),
        (list[Line], [Line("a", 1.0)]),
        (dict[str, Line], {"x": Line("a", 1.0)}),
        (Line | None, None),
        (Line | None, Line("a", 1.0)),
        (tuple[int, str], (1, "a")),
        (tuple[Line, ...], (Line("a", 1.0), Line("b", 2.0))),
        (tuple[()], ()),
        (Point, Point(1, 2)),
        (Movie, {"title": "x"}),
        (Colour, Colour.RED),
        (Size, Size.SMALL),
        (list[Level], [Level.LOW]),
        (Literal["a", 1], 1),
        (date, date(2026, 1, 2)),
        (time, time(1, 2, 3)),
        (datetime | date, date(2026, 1, 2)),
        (int | float, 1),
        (float | int, 1),
        (str | int | None, "x"),
        (UserId, 7),
        (Annotated[int, {"un": "hashable"}], 7),
        (Sequence[int], [1, 2]),
        (Mapping[str, int], {"a": 1}),
        (Any, {"a": [1, None, True, 1.5, "ü"]}),
        (list, [1]),
        (dict, {"a": 1}),
        (tuple, (1, 2)),
        (typing.Optional[typing.List[int]], [1]),  # noqa: UP006, UP045 - the old spelling is in use
    ],
)
def test_a_value_comes_back_as_its_annotation_says(annotation: Any, value: Any) -> None:
    text = json_text(value)
    back = rebuild(shape_of(annotation), json.loads(text))
    assert back == value
    assert type(back) is type(value)
    assert json_text(back) == text


def test_without_an_annotation_a_value_comes_back_as_json_has_it() -> None:
    assert json.loads(json_text({"p": Point(1, 2), "o": OrderedDict(a=Size.SMALL), "l": Line("a", 1)})) == {
        "p": [1, 2],
        "o": {"a": "s"},
        "l": {"sku": "a", "price": 1, "count": 1},
    }


def test_subclasses_of_json_s_types_become_them() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    class Number(float):
        def __repr__(self) -> str:
            return "np.float64(1.5)"

    text = json_text([Text("x"), Number(1.5), Level.LOW, {Size.SMALL: 1}, Point(1, 2)])
    assert text == '["x",1.5,1,{"s":1},[1,2]]'


TEXT = st.text('ab "\\/\n\x1f\x7fé€\U0001f600')
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(str.isprintable),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(str.isprintable), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_goes_through_unchanged(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert rebuild(shape_of(Any), json.loads(json_text(value))) == value


@given(
    JSON,
    st.sampled_from([math.nan, math.inf, -math.inf, "\0", "\ud800", {1}, {1: 2}, {"\0": 1}, object()]),
    st.data(),
)
def test_one_bad_place_anywhere_is_found_and_named(value: Any, bad: Any, data: st.DataObject) -> None:
    path = "$"
    for _ in range(data.draw(st.integers(0, 5))):
        if data.draw(st.booleans()):
            value, path = [0, value], f"[1]{path[1:]}"
            bad = [0, bad]
        else:
            value, path = {"k": value}, f".k{path[1:]}"
            bad = {"k": bad}
        path = "$" + path
    with pytest.raises(InvalidValue) as refused:
        json_text({"good": value, "bad": bad})
    assert refused.value.path == "$.bad" + path[1:]


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({"rows": [0, 1, 2, {"price": math.nan}]}, "$.rows[3].price", "NaN is not JSON"),
        ([-math.inf], "$[0]", "Infinity is not JSON"),
        ({"a b": {"ü": "\0"}}, '$["a b"].ü', "text contains the NUL character, which cannot be stored"),
        ({"x": "\udfff"}, "$.x", "text contains half a surrogate pair, which is not Unicode"),
        ({3: 1}, "$", "key 3 is int, JSON keys are text"),
        ([{None: 1}], "$[0]", "key None is NoneType, JSON keys are text"),
        ((1, {2}), "$[1]", "set is not JSON"),
        (HUGE, "$[0]", "integer of more than 4,000 digits"),
        ([print], "$[0]", "builtin_function_or_method is not JSON"),
        (Line("a", math.nan), "$.price", "NaN is not JSON"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, path: str, problem: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        json_text(value)
    assert (refused.value.path, refused.value.problem) == (path, problem)


def test_depth_is_limited_and_cycles_are_found() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert json_text(deep)
    with pytest.raises(InvalidValue, match="nested deeper than 200 levels, or contains itself"):
        json_text([deep])
    cycle: dict[str, Any] = {}
    cycle["x"] = cycle
    with pytest.raises(InvalidValue, match="contains itself"):
        json_text(cycle)


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (int, "1", "$: expected an integer, got text"),
        (int, True, "$: expected an integer, got true or false"),
        (int, 1.5, "$: expected an integer, got a number"),
        (float, "x", "$: expected a number, got text"),
        (str, None, "$: expected text, got null"),
        (list[int], [1, "x"], "$[1]: expected an integer, got text"),
        (dict[str, int], {"a b": None}, '$["a b"]: expected an integer, got null'),
        (list[int], {}, "$: expected a list, got an object"),
        (tuple[int, int], [1], "$: expected 2 items, got 1"),
        (Literal["a", "b"], "c", "$: expected one of 'a', 'b', got 'c'"),
        (Literal[1], True, "$: expected one of 1, got True"),
        (Colour, "green", "$: expected one of 'red', 2, got 'green'"),
        (Line, {"sku": "a"}, "$.price: is missing, Line needs it"),
        (Line, {"sku": "a", "price": 1, "size": 2}, "$.size: Line has no such field"),
        (Order | None, {"id": "x"}, "$.id: 'x' is no uuid"),
        (UUID, "x", "$: 'x' is no uuid"),
        (datetime, "yesterday", "$: 'yesterday' is no date-time"),
        (Movie, {"year": 1}, "$.title: is missing, Movie needs it"),
        (int | None, "x", "got text"),
    ],
)
def test_input_that_does_not_fit_is_refused_with_its_place(annotation: Any, value: Any, says: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        decode(shape_of(annotation), value)
    assert says in str(refused.value)


def test_numbers_are_read_as_json_schema_reads_them() -> None:
    assert decode(shape_of(int), 2.0) == 2
    assert type(decode(shape_of(int), 2.0)) is int
    assert type(decode(shape_of(float), 2)) is float


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "not an int"),
        (dict[str, str], {"a": None}),
        (Line, None),
        (Line, {"other": "fields"}),
        (list[Line], "text"),
        (tuple[int, int], [1, 2, 3]),
        (Colour, "green"),
        (datetime, "yesterday"),
        (Line | None, 7),
    ],
)
def test_a_recorded_value_that_does_not_fit_is_handed_over_as_it_is(annotation: Any, value: Any) -> None:
    assert rebuild(shape_of(annotation), value) == value


def test_only_the_part_of_a_recorded_value_that_does_not_fit_is_handed_over_as_it_is() -> None:
    assert rebuild(shape_of(list[Line]), [{"sku": "a", "price": None}]) == [Line("a", None)]  # type: ignore[arg-type]
    assert rebuild(shape_of(Line | None), {"sku": "a", "price": None}) == Line("a", None)  # type: ignore[arg-type]


def test_a_class_that_refuses_its_own_fields_is_an_error_also_of_a_recorded_value() -> None:
    @dataclass
    class Positive:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError("negative")

    with pytest.raises(InvalidValue, match=r"\$\[0\]: negative"):
        rebuild(shape_of(list[Positive]), [{"n": -1}])


@pytest.mark.parametrize(
    "annotation", [set, frozenset, set[list[int]], complex, print, typing.Callable[[], int], object.__class__]
)
def test_types_without_a_counterpart_in_json_are_refused(annotation: Any) -> None:
    with pytest.raises(UnknownType):
        shape_of(annotation)
