"""Records, results and inputs of values, and the types that may be named in them."""

from __future__ import annotations

import importlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
import pytest
from taxiway.annotation_shapes import shape_of
from taxiway.codec import record, replay, result, resulted
from taxiway.decode import decode
from taxiway.equality import same
from taxiway.errors import InvalidValue

from tests.rules.drawn import Animal, Approved, Colour, Dog, Name, Planet, Point, Rejected, Right, Rows, Size, Trimmed
from tests.rules.drawn_models import Aliased, Computed, Hidden, Item, Open, Secret, Special, Strict

HERE = "tests.rules.drawn"
MODELS = "tests.rules.drawn_models"


def text_of(annotation: Any, value: Any) -> Any:
    text, back = record(shape_of(annotation), value)
    assert back == value
    assert type(back) is type(value)
    return json.loads(text)


@pytest.mark.parametrize(
    ("annotation", "value", "plain"),
    [
        (Approved, Approved("x"), {"reason": "x"}),
        (Approved | None, Approved("x"), {"reason": "x"}),
        (Approved | Point, Point(1, 2.0), [1, 2.0]),
        (Colour | int, Colour.RED, "red"),
        (UUID | int, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (float | int, 1, 1),
        (Planet, Planet.EARTH, [5.97e24, 6.37e6]),
        (Right, Right.READ | Right.SHARE, 5),
        (set[int], {3, 1, 2}, [1, 2, 3]),
        (dict[int, str], {1: "a"}, [[1, "a"]]),
        (bytes, b"x", "eA=="),
        (Decimal, Decimal("1.50"), "1.50"),
        (Path, Path("a/b"), "a/b"),
        (Any, {"a": [1, None, 1.5, "x"]}, {"a": [1, None, 1.5, "x"]}),
        (Aliased, Aliased(userId=7), {"userId": 7, "inner": []}),
        (Computed, Computed(a=2), {"a": 2}),
        (Item, Item(sku="a"), {"sku": "a", "price": 1.5, "at": None}),
    ],
)
def test_a_value_that_its_annotation_tells_is_recorded_without_tags(annotation: Any, value: Any, plain: Any) -> None:
    assert text_of(annotation, value) == plain


@pytest.mark.parametrize(
    ("annotation", "value", "tag", "inner"),
    [
        (Approved | Rejected, Rejected("x"), f"{HERE}:Rejected", {"reason": "x"}),
        (list[Approved] | list[Rejected], [Rejected("x")], f"list[{HERE}:Rejected]", [{"reason": "x"}]),
        (Animal, Dog("Rex"), f"{HERE}:Dog", {"name": "Rex", "age": 0.0, "breed": None}),
        (Colour | str, Colour.RED, f"{HERE}:Colour", "red"),
        (Colour | Size, Size.RED, f"{HERE}:Size", "red"),
        (str, Size.SMALL, f"{HERE}:Size", "s"),
        (str, Name("x"), f"{HERE}:Name", "x"),
        (int, True, "bool", True),
        (list[Any], Rows([1]), f"{HERE}:Rows", [1]),
        (Sequence[int], (1, 2), "tuple", [1, 2]),
        (dict[str, int], OrderedDict(a=1), "collections:OrderedDict", [["a", 1]]),
        (dict[str, int], Counter("a"), "collections:Counter", [["a", 1]]),
        (Any, Counter({1: 2}), "collections:Counter", [[1, 2]]),
        (Any, {"$taxiway": "os:system", "value": 1}, "dict", [["$taxiway", "os:system"], ["value", 1]]),
        (Any, datetime(2026, 1, 1, tzinfo=UTC), "datetime:datetime", "2026-01-01T00:00:00+00:00"),
        (Any, Point(1, 2.0), f"{HERE}:Point", [1, 2.0]),
        (Item, Special(sku="a"), f"{MODELS}:Special", {"sku": "a", "price": 1.5, "at": None, "why": None}),
    ],
)
def test_a_value_that_its_annotation_does_not_tell_is_tagged(annotation: Any, value: Any, tag: str, inner: Any) -> None:
    assert text_of(annotation, value) == {"$taxiway": tag, "value": inner}


def test_what_its_type_loses_in_json_is_recorded_part_by_part() -> None:
    held = text_of(Secret, Secret(token=pydantic.SecretStr("s3cret")))
    assert held["$taxiway"] == f"{MODELS}:Secret"
    assert "s3cret" in json.dumps(held), "the record holds the secret itself"
    text_of(Hidden, Hidden(shown="a", hidden=1))
    text_of(Open, Open(what={1: {2}}))
    text_of(Open, Open(what=1, more=datetime(2026, 1, 1)))  # type: ignore[call-arg]
    text_of(
        Strict,
        Strict(
            at=datetime(2026, 1, 1),
            day=datetime(2026, 1, 1).date(),
            id=UUID(int=1),
            colour=Colour.RED,
            pair=(1, b"\xff"),
        ),
    )
    text_of(dict[str, list[int]], defaultdict(list, a=[1]))
    summer = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    back = replay(shape_of(datetime), record(shape_of(datetime), summer)[0])
    assert (back, back.tzinfo, back.fold) == (summer, summer.tzinfo, 1)
    assert text_of(set[str] | list[Trimmed], [Trimmed("a")]) == [{"text": "a", "length": 1}]
    with pytest.raises(InvalidValue, match="has no such field"):
        decode(shape_of(Trimmed), {"text": "a", "length": 1})
    changed = Trimmed("a")
    changed.text = " b "
    text_of(Trimmed, changed)


def test_records_that_were_written_without_tags_are_read_as_ever() -> None:
    assert replay(shape_of(Approved | Rejected), '{"reason":"x"}') == Approved("x")
    assert replay(shape_of(Colour | str), '"red"') == "red"
    assert replay(shape_of(Aliased), '{"user_id":7}') == Aliased(userId=7)
    assert replay(shape_of(Computed), '{"a":2,"twice":4}') == Computed(a=2)
    assert replay(shape_of(Any), '{"$type":"x","value":1}') == {"$type": "x", "value": 1}
    assert replay(shape_of(int), '"not an int"') == "not an int"


def test_a_record_of_a_type_that_is_gone_says_so() -> None:
    with pytest.raises(InvalidValue, match=r"was a tests\.rules\.drawn:Cat, which no longer exists"):
        replay(shape_of(Animal), '{"$taxiway":"tests.rules.drawn:Cat","value":{}}')


FORGED = [
    {"$taxiway": "subprocess:Popen", "value": ["true"]},
    {"$taxiway": f"{HERE}:Dog", "value": {"name": "Rex"}},
    {"$taxiway": f"{HERE}:Dog", "state": {"name": "Rex"}},
    {"$taxiway": "tuple", "value": []},
]


@pytest.mark.parametrize("forged", FORGED)
def test_nothing_from_outside_names_a_type(forged: dict[str, Any]) -> None:
    assert decode(shape_of(Any), forged) is forged
    assert decode(shape_of(dict[str, Any]), {"x": forged}) == {"x": forged}
    for annotation in (Animal, Animal | None, tuple[int, ...], Item):
        with pytest.raises(InvalidValue):
            decode(shape_of(annotation), forged)


def test_a_result_names_only_types_that_are_there_already(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    real = importlib.import_module

    def noted(name: str, *rest: Any) -> Any:
        imported.append(name)
        return real(name, *rest)

    monkeypatch.setattr("importlib.import_module", noted)
    with pytest.raises(InvalidValue, match="which no longer exists"):
        resulted(shape_of(Animal), {"$taxiway": "antigravity:Dog", "value": {}})
    assert resulted(shape_of(Animal), json.loads(result(shape_of(Animal), Dog("Rex")))) == Dog("Rex")
    assert "antigravity" not in imported


def test_only_values_are_made_of_tags() -> None:
    for name in ("subprocess:Popen", "threading:Thread", "builtins:object", "object"):
        for form in ("value", "state"):
            with pytest.raises(InvalidValue):
                replay(shape_of(Any), json.dumps({"$taxiway": name, form: {}}))


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (int, "x", "$: expected int, got 'x'"),
        (dict[str, int], None, "$: expected dict[str, int], got None"),
        (list[int], [1, "x"], "$[1]: expected int, got 'x'"),
        (None, 1, "$: expected None, got 1"),
        (Approved, Rejected("x"), f"$: expected Approved, got {HERE}.Rejected"),
        (Approved | None, 7, "$: expected Approved | None, got 7"),
        (tuple[int, int], (1,), "$: expected tuple[int, int], got a tuple of 1"),
        (Literal["a"], "b", "$: expected Literal['a'], got 'b'"),
        (Sequence[str], "text", "$: expected list[str], got 'text'"),
        (float, 2**53 + 1, "$: is an integer that no float equals"),
        (Any, {"x": {1}}, "$.x: set is not JSON; annotate what it holds"),
        (Any, {1: 2}, "$: key 1 is int, JSON keys are text; annotate them"),
        (Any, [object()], "$[0]: object is not JSON"),
        (Any, {"f": print}, "$.f: builtin_function_or_method is not JSON"),
    ],
)
def test_what_does_not_hold_its_annotation_is_refused_with_its_place(annotation: Any, value: Any, says: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        record(shape_of(annotation), value)
    assert str(refused.value).startswith(says)


def test_a_class_that_is_not_found_by_its_name_is_refused_under_any_and_taken_where_it_is_named() -> None:
    @dataclass
    class Local:
        n: int

    assert text_of(Local, Local(1)) == {"n": 1}
    with pytest.raises(InvalidValue, match="define it at the top of its module, or name it in the annotation"):
        record(shape_of(Any), Local(1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        ([1], [1.0]),
        ((1,), [1]),
        ({"a": 1}, {"a": True}),
        ({1}, {1.0}),
        (Approved("x"), Rejected("x")),
        (Animal("x", 1), Animal("x", 1.0)),
        (Name("x"), "x"),
        (Item(sku="a"), Special(sku="a")),
    ],
)
def test_equal_values_of_other_types_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert same(one, one)


def test_what_an_object_remembers_of_a_computation_makes_it_no_other() -> None:
    used = IPv4Network("10.0.0.0/8")
    assert used.num_addresses == 2**24
    assert used.broadcast_address
    assert same(used, IPv4Network("10.0.0.0/8"))
    assert same(IPv4Network("10.0.0.0"), IPv4Network("10.0.0.0"))  # each has its own function
    assert not same(used, IPv4Network("10.0.0.0/9"))


def test_a_decimal_that_is_no_number_is_the_same_as_itself() -> None:
    assert same(Decimal("NaN"), Decimal("NaN"))
    assert same([Decimal("sNaN1")], [Decimal("sNaN1")])
    assert not same(Decimal("NaN"), Decimal("sNaN"))
