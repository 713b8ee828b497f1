"""A form is made from any JSON Schema, and its entries become values of their types, or an error beside the field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, NaiveDatetime
from pydantic import Field as Limited
from taxiway.annotation_shapes import shape_of
from taxiway.approvals import question
from taxiway.decode import decode
from taxiway.schema import value_schema
from taxiway.waits import Settled

from api.http.problems import Problem
from api.json_schema.violations import violations
from api.page.field import Field, Kind
from api.page.form import form_of, spoken
from api.page.form_values import parse_form, read


class Speed(Enum):
    SLOW = "slow"
    FAST = 2


@dataclass
class Address:
    street: str
    number: int
    floor: int | None = None


@dataclass
class Parcel:
    to: Address
    speed: Speed
    sure: bool
    on: date
    at: datetime
    worth: float | None
    labels: list[str]
    sizes: list[int]
    services: list[Literal["sign", "hold"]]
    back_to: Address | None = None
    insuredFor: float = 0.0  # noqa: N815  a name of the other style
    anything: Any = None
    table: dict[str, int] | None = None


@dataclass
class Tree:
    name: str
    left: Tree | None = None


@dataclass(frozen=True)
class Home:
    street: str
    country: str = "DE"
    floor: int | None = 2


class Place(NamedTuple):
    street: str
    country: str = "DE"
    floor: int | None = 2


class Spot(BaseModel):
    street: str
    country: str = "DE"
    floor: int | None = 2


@dataclass
class Move:
    to: Home
    back: Home | None = None
    by: Home = Home("Oak", "PL", None)
    tags: tuple[str, ...] = ("a", "b")


SCHEMA = value_schema(shape_of(Parcel))
FORM = form_of(SCHEMA)
FILLED = {
    "answer.to.street": " Elm ", "answer.to.number": "7", "answer.speed": "1", "answer.sure": "false",
    "answer.on": "2026-12-24", "answer.at": "2026-12-24T18:30", "answer.worth": "", "answer.labels": "one\r\n\r\n two ",
    "answer.sizes": "1\n-2", "answer.services": "1",
}  # fmt: skip
VALUE = {
    "to": {"street": "Elm", "number": 7}, "speed": 2, "sure": False, "on": "2026-12-24", "at": "2026-12-24T18:30:00Z",
    "worth": None, "labels": ["one", "two"], "sizes": [1, -2], "services": ["hold"],
}  # fmt: skip


def typed(**fields: str) -> dict[str, Sequence[str]]:
    return {name.replace("__", "."): [text] for name, text in fields.items()}


def by_name(form: Field) -> dict[str, Field]:
    return {form.name: form} | {name: one for inner in form.fields for name, one in by_name(inner).items()}


def test_every_kind_of_value_has_its_kind_of_field() -> None:
    kinds = {name.removeprefix("answer."): field.kind for name, field in by_name(FORM).items()}
    assert kinds == {
        "answer": Kind.GROUP, "to": Kind.GROUP, "to.street": Kind.LINE, "to.number": Kind.INTEGER, "to.floor": Kind.INTEGER,
        "speed": Kind.CHOICE, "sure": Kind.TRUTH, "on": Kind.DATE, "at": Kind.MOMENT, "worth": Kind.NUMBER,
        "labels": Kind.LIST, "sizes": Kind.LIST, "services": Kind.CHOICES, "back_to": Kind.GROUP,
        "back_to.street": Kind.LINE, "back_to.number": Kind.INTEGER, "back_to.floor": Kind.INTEGER,
        "insuredFor": Kind.NUMBER, "anything": Kind.JSON, "table": Kind.JSON,
    }  # fmt: skip
    blank = {name.removeprefix("answer.") for name, field in by_name(FORM).items() if field.may_be_blank}
    assert blank == {
        "to.floor",
        "worth",
        "labels",
        "sizes",
        "services",
        "back_to",
        "back_to.floor",
        "insuredFor",
        "anything",
        "table",
    }
    assert [field.label for field in FORM.fields][-4:] == ["Back to", "Insured for", "Anything", "Table"]


def test_what_is_typed_becomes_a_value_that_fits_the_schema() -> None:
    filled = read(FORM, {name: [text] for name, text in FILLED.items()})
    assert (filled.value, filled.errors) == (VALUE, {})
    Draft202012Validator(SCHEMA).validate(filled.value)


def test_a_part_that_is_optional_is_left_out_unless_something_of_it_is_typed() -> None:
    given = {name: [text] for name, text in FILLED.items()}
    whole = read(FORM, given | typed(answer__back_to__street="Oak", answer__back_to__number="1"))
    assert whole.value["back_to"] == {"street": "Oak", "number": 1}
    half = read(FORM, given | typed(answer__back_to__number="1"))
    assert half.errors == {"answer.back_to.street": "Fill this in."}


def test_each_mistake_is_told_beside_its_field() -> None:
    given = {name: [text] for name, text in FILLED.items()} | typed(
        answer__to__street=" ", answer__to__number="7.5", answer__speed="9", answer__sure="perhaps", answer__on="tomorrow",
        answer__at="2026-12-24", answer__worth="1,5", answer__sizes="1\ntwo", answer__anything="{oops", answer__table="NaN",
    )  # fmt: skip
    assert read(FORM, given).errors == {
        "answer.to.street": "Fill this in.",
        "answer.to.number": "Enter a whole number, such as 12; “7.5” is not one.",
        "answer.speed": "Choose one of the options.",
        "answer.sure": "Choose one.",
        "answer.on": "Enter a date like 2026-12-31.",
        "answer.at": "Enter date and time like 2026-12-31T18:30.",
        "answer.worth": "Enter a number with a decimal point, such as 12.5; “1,5” is not one.",
        "answer.sizes": "Enter a whole number, such as 12; “two” is not one.",
        "answer.anything": "This is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2.",
        "answer.table": "This JSON cannot be stored.",
    }
    assert read(FORM, {}).errors.keys() == {
        "answer.to.street", "answer.to.number", "answer.speed", "answer.sure", "answer.on", "answer.at"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, " two\r\nlines \r\n", "two\nlines"),
        ({"type": "integer"}, "+12", 12),
        ({"type": "integer"}, "\u0667", 7),
        ({"type": "number"}, ".5", 0.5),
        ({"type": "number"}, "-1e-3", -0.001),
        ({"type": "number"}, "12", 12),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "1.5", 1.5),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, '"x"', "x"),
        ({"type": ["string", "null"]}, "", None),
        ({"enum": [None, 1, True, "x"]}, "2", True),
        ({"const": "only"}, "0", "only"),
        ({"type": "boolean"}, "true", True),
        ({"type": "string", "format": "time"}, "18:30", "18:30:00"),
        ({"type": "string", "format": "date-time"}, "2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05+02:00"),
        ({"type": "array", "items": {"type": "number"}}, "1\n2.5", [1, 2.5]),
        ({"type": "array", "items": {"type": "object"}}, "[{}]", [{}]),
        ({"type": "array"}, "", []),
        ({}, '{"a": [1]}', {"a": [1]}),
        (True, "null", None),
    ],
)
def test_a_question_by_itself_is_answered_in_its_type(schema: Any, text: str, value: Any) -> None:
    form = form_of(schema)
    filled = read(form, {"answer": [text]})
    if schema == {"type": "array"}:
        assert filled.errors == {"answer": "Fill this in."}, "a list of anything is typed as JSON"
    else:
        assert (filled.value, filled.errors, type(filled.value)) == (value, {}, type(value))


@pytest.mark.parametrize("text", ["1e999", "NaN", "Infinity", "0x10", "1_0", "1 0", "1.2.3", "", "9" * 500])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read(form_of({"type": "number"}), {"answer": [text]}).errors


def test_a_type_that_contains_itself_ends_in_json() -> None:
    form = form_of(value_schema(shape_of(Tree)))
    assert {name: field.kind for name, field in by_name(form).items()} == {
        "answer": Kind.GROUP, "answer.name": Kind.LINE, "answer.left": Kind.JSON
    }  # fmt: skip
    loop = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    assert form_of(loop).kind is Kind.JSON


def test_a_form_of_too_many_or_too_deep_parts_is_typed_as_json() -> None:
    wide = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(100)}}
    assert form_of(wide).kind is Kind.JSON
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"in": deep}}
    assert {leaf.kind for leaf in form_of(deep).leaves()} == {Kind.JSON}


def test_a_form_says_what_the_schema_says_to_people() -> None:
    field = form_of({
        "type": "object",
        "properties": {"n": {"type": "integer", "title": "How many?", "description": "Boxes.", "minimum": 1, "maximum": 9,
                             "default": 3}},
    }).fields[0]  # fmt: skip
    assert (field.label, field.hint, field.preset) == ("How many?", "Boxes. From 1 to 9.", ["3"])


@pytest.mark.parametrize(
    ("schema", "preset"),
    [
        ({"enum": [1, True], "default": True}, ["1"]),
        ({"type": "boolean", "default": False}, ["false"]),
        ({"type": "array", "items": {"type": "integer"}, "default": [1, 2]}, ["1\n2"]),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "default": ["b"]}, ["1"]),
        ({"type": "string", "format": "date-time", "default": "2026-01-02T03:04:05+02:00"}, ["2026-01-02T01:04"]),
        ({"type": "string", "format": "date-time", "default": "soon"}, []),
        ({"default": {"a": 1}}, ['{"a": 1}']),
        ({"type": ["string", "null"], "default": None}, []),
    ],
)
def test_a_default_is_there_already(schema: Any, preset: list[str]) -> None:
    assert list(form_of(schema).preset) == preset


@pytest.mark.parametrize("kind", [Home, Place, Spot])
def test_the_defaults_of_a_type_are_in_its_form_already_and_count_unless_they_are_changed(kind: Any) -> None:
    shape = shape_of(kind)
    form = form_of(value_schema(shape))
    assert [(field.label, list(field.preset), field.may_be_blank) for field in form.fields] == [
        ("Street", [], False), ("Country", ["DE"], True), ("Floor", ["2"], True)
    ]  # fmt: skip

    def answer(*typed: str) -> Any:
        filled = read(form, {field.name: [text] for field, text in zip(form.fields, typed, strict=True)})
        assert filled.errors == {}
        Draft202012Validator(value_schema(shape)).validate(filled.value)
        return decode(shape, filled.value)

    def made(street: str, country: str, floor: int | None) -> Any:
        return kind(street=street, country=country, floor=floor)

    assert answer("Elm", "DE", "2") == made("Elm", "DE", 2)
    assert answer("Elm", "PL", "7") == made("Elm", "PL", 7)
    assert answer("Elm", "", "") == made("Elm", "DE", None), "what may be null is, once it is taken away"
    assert read(form, {form.fields[1].name: ["DE"]}).errors == {form.fields[0].name: "Fill this in."}


def test_defaults_of_an_optional_part_make_nobody_fill_it_in() -> None:
    form = form_of(value_schema(shape_of(Move)))
    presets = {leaf.name.removeprefix("answer."): list(leaf.preset) for leaf in form.leaves()}
    assert presets == {
        "to.street": [], "to.country": ["DE"], "to.floor": ["2"],
        "back.street": [], "back.country": ["DE"], "back.floor": ["2"],
        "by.street": ["Oak"], "by.country": ["PL"], "by.floor": [], "tags": ["a\nb"],
    }  # fmt: skip
    sent = {leaf.name: list(leaf.preset) for leaf in form.leaves()} | {
        "answer.to.street": ["Elm"],
        "answer.tags": ["a\r\nb"],
    }
    untouched = read(form, sent)
    assert (untouched.value, untouched.errors) == (
        {"to": {"street": "Elm", "country": "DE", "floor": 2}, "tags": ["a", "b"]},
        {},
    )
    changed = read(form, sent | {"answer.back.street": ["Ash"], "answer.by.country": ["FR"], "answer.tags": [""]})
    assert changed.value == {
        "to": {"street": "Elm", "country": "DE", "floor": 2}, "back": {"street": "Ash", "country": "DE", "floor": 2},
        "by": {"street": "Oak", "country": "FR", "floor": None}, "tags": [],
    }  # fmt: skip
    assert decode(shape_of(Move), changed.value).by == Home("Oak", "FR", None)


class Offer(BaseModel):
    price: Annotated[Decimal, Limited(gt=0)]
    starts: NaiveDatetime
    ends: datetime | None = None


def test_what_is_typed_for_a_model_is_what_the_agent_gets() -> None:
    schema = value_schema(shape_of(Offer))
    typed = {
        "answer.price": ["0.12345678901234567890"],
        "answer.starts": ["2026-12-31T18:30"],
        "answer.ends": ["2027-01-01 08:00"],
    }
    filled = read(form_of(schema), typed)
    assert (filled.errors, violations(filled.value, json.dumps(schema), "answer", "the question")) == ({}, [])
    wish = question("What is offered?", Offer, None)
    taken = wish.value(Settled(wish.name, "answered", json.dumps({"answer": filled.value})))
    assert taken == Offer(
        price=Decimal("0.12345678901234567890"),
        starts=datetime(2026, 12, 31, 18, 30),
        ends=datetime(2027, 1, 1, 8, tzinfo=UTC),
    )


def test_a_question_is_known_by_what_it_was_known_by_before_its_form_had_defaults() -> None:
    # As it was recorded then; otherwise a parked run would ask again.
    assert question("Where?", Home, None).name == "ca597851929386e2a864d51294a72865"
    assert question("Where?", Place, None).name == "08b2434d8554f5e7abe9c763ee66c4f6"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("order_id", "Order id"),
        ("orderId", "Order id"),
        ("eMail", "E mail"),
        ("URL", "URL"),
        ("two words", "two words"),
        ("ß", "ß"),
    ],
)
def test_a_name_is_said_as_people_would(name: str, said: str) -> None:
    assert spoken(name) == said


SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "required", "default", "title", "const",
                         "format", "minimum", "maxLength", "allOf", "$defs", "a"]),
        inner | st.sampled_from(["object", "array", "string", "integer", "#/$defs/a", "#", "date-time"]), max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given_any(SCHEMAS, st.text(max_size=5))
def test_any_schema_makes_a_form_and_any_text_is_read(schema: Any, text: str) -> None:
    form = form_of(schema)
    read(form, {leaf.name: [text] for leaf in form.leaves()})


def test_a_submitted_form_is_bounded_and_strict() -> None:
    assert parse_form(b"a=1&a=2&b=%C3%A4+x&c=") == {"a": ["1", "2"], "b": ["ä x"], "c": [""]}
    for raw in (b"a=%ff", b"a=\xff", b"a=1&" * 1001):
        with pytest.raises(Problem, match="invalid_request"):
            parse_form(raw)
