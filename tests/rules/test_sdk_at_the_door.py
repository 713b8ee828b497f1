"""Agents take what the API takes: inputs, answers and payloads, of any annotation and drawn by the thousand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from unittest import mock

import pydantic
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from taxiway.annotation_shapes import shape_of
from taxiway.approvals import APPROVAL, QuestionWish, question
from taxiway.codec import given as given_input
from taxiway.decode import decode
from taxiway.equality import same
from taxiway.errors import InvalidValue, UnknownType
from taxiway.schema import value_schema
from taxiway.shapes import Shape
from taxiway.waits import SIGNAL, Settled, SignalWish

from api.json_schema.violations import violations
from tests.rules.drawn import annotations
from tests.rules.drawn_fields import FIELDS, MORE, Cat, Gaps, Hound, Strictly, models
from tests.rules.drawn_json import values
from tests.rules.drawn_models import MODELS, Aliased, Computed
from tests.rules.test_sdk_any_value import EXAMPLES, many

PLAIN = st.sampled_from(MORE) | annotations().map(lambda drawn: drawn[0])
ANNOTATIONS = models() | models() | st.sampled_from(FIELDS) | PLAIN


AT_ONCE = 5
"""Values for each annotation: a class costs more than a value."""
few = settings(many, max_examples=EXAMPLES // AT_ONCE)


@dataclass(frozen=True)
class Drawn:
    shape: Shape
    schema: str
    values: list[Any]

    def taken(self) -> Iterator[Any]:
        return (value for value in self.values if not violations(value, self.schema, "input", "the agent"))


def takes(shape: Shape, value: Any) -> bool:
    return not violations(value, json.dumps(value_schema(shape)), "input", "the agent")


@st.composite
def drawn(draw: st.DrawFn, annotations: st.SearchStrategy[Any] = ANNOTATIONS) -> Drawn:
    try:
        shape = shape_of(draw(annotations))
    except UnknownType:
        assume(False)
    schema = value_schema(shape)
    return Drawn(shape, json.dumps(schema), draw(st.lists(values(schema), min_size=AT_ONCE, max_size=AT_ONCE)))


@few
@given(drawn())
def test_what_the_door_takes_the_agent_takes_as_an_input_an_answer_and_a_payload(drawn: Drawn) -> None:
    asked = QuestionWish(APPROVAL, "q", request={"prompt": "?"}, shape=drawn.shape)
    awaited = SignalWish(SIGNAL, "s", shape=drawn.shape)
    for value in drawn.taken():
        taken = decode(drawn.shape, value)
        check_written(drawn.shape, taken, drawn.schema)
        assert same(asked.value(Settled("q", "answered", json.dumps({"answer": value}))), taken)
        assert same(awaited.value(Settled("s", "delivered", json.dumps(value))), taken)


@few
@given(drawn(PLAIN))
def test_an_agent_without_pydantic_takes_it_too(drawn: Drawn) -> None:
    for value in drawn.taken():
        with mock.patch.dict(sys.modules, {"taxiway.pydantic_models": None}):  # type: ignore[dict-item]
            del sys.modules["pydantic"]
            taken = decode(drawn.shape, value)
        check_written(drawn.shape, taken, drawn.schema)


@settings(many, max_examples=EXAMPLES // 4)
@given(annotations(MODELS).flatmap(lambda drawn: st.tuples(st.just(drawn[0]), drawn[1])))
def test_what_an_agent_gives_another_one_is_taken_as_it_was(drawn: tuple[Any, Any]) -> None:
    annotation, value = drawn
    try:
        shape = shape_of(annotation)
    except UnknownType:
        return
    check_written(shape, value)


def check_written(shape: Shape, value: Any, schema: str | None = None) -> None:
    """Check that the JSON written for an agent is accepted by the API, and read as the same value.

    With a `schema`, the value is one that an agent read.
    """
    try:
        written = json.loads(given_input({"x": shape}, None, {"x": value}))["x"]
    except InvalidValue:  # a secret, for example, which no model writes
        return
    taken_at_the_door = not violations(written, schema or json.dumps(value_schema(shape)), "input", "the agent")
    try:
        taken = decode(shape, written)
    except InvalidValue:
        # Refusing a value that does not fit its annotation is left to the API.
        assert not schema, (shape, written)
        assert not taken_at_the_door, (shape, written)
        return
    assert taken_at_the_door, (shape, written)
    assert same(taken, value) or not schema, (written, taken)
    again = json.loads(given_input({"x": shape}, None, {"x": taken}))["x"]
    assert same(decode(shape, again), taken), (again, written)  # a set of a model has no order


class Meeting(pydantic.BaseModel, validate_by_name=True):
    at: pydantic.AwareDatetime = pydantic.Field(alias="startsAt")
    until: datetime | None = pydantic.Field(None, alias="endsAt")
    room: int = pydantic.Field(1, validation_alias=pydantic.AliasChoices("room", "roomNumber"))
    seats: dict[int, str] = {}

    @pydantic.model_validator(mode="after")
    def _is_a_room(self) -> Meeting:
        if self.room > 99:
            raise ValueError("there is no such room")
        return self


class Narrow(pydantic.BaseModel, validate_by_name=True, extra="forbid"):
    size: int = pydantic.Field(alias="theSize")


class Parcel(pydantic.BaseModel):
    whose: Cat | Hound = pydantic.Field(Cat(), alias="for", discriminator="kind")
    code: Annotated[str, pydantic.StringConstraints(pattern=re.compile("^ab$", re.IGNORECASE))] = "AB"
    prices: list[Annotated[Decimal, pydantic.Field(ge=1)]] = []


AT = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Meeting, {"startsAt": "2026-01-02T03:04:05"}),
        (Meeting, {"startsAt": AT, "until": "soon"}),
        (Narrow, {"theSize": 1, "size": 1}),
        (Meeting, {"startsAt": AT, "roomNumber": "x"}),
        (Meeting, {"startsAt": AT, "seats": {"x": "Ann"}}),
        (Parcel, {"for": {"lives": 9}}),
        (Parcel, {"code": "b"}),
        (Parcel, {"prices": ["0.5"]}),
        (pydantic.HttpUrl, "ftp://example.com"),
        (Gaps, 2),
        (datetime, "2026-02-30T00:00"),
        (timedelta, "P999999999DT24H"),
    ],
)
def test_what_no_agent_would_read_is_refused_at_the_door(annotation: Any, value: Any) -> None:
    shape = shape_of(annotation)
    with pytest.raises(InvalidValue):
        decode(shape, value)
    assert not takes(shape, value)


@pytest.mark.parametrize(
    ("annotation", "value", "taken"),
    [
        (Strictly, {"count": 1.0, "many": [2.0], "ratio": 3.0}, Strictly(count=1, many=[2], ratio=3.0)),
        (Strictly, {"count": 1e20}, Strictly(count=10**20)),
        (set[datetime], [AT, "2026-01-02T03:04:05+00:00"], {datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        (Gaps, 5, Gaps.FIRST | Gaps.THIRD),
        (Parcel, {"code": "aB", "prices": ["1.50", 2]}, Parcel(code="aB", prices=[Decimal("1.50"), Decimal(2)])),
    ],
)
def test_what_the_door_takes_is_read_as_it_was_meant(annotation: Any, value: Any, taken: Any) -> None:
    shape = shape_of(annotation)
    assert takes(shape, value)
    assert same(decode(shape, value), taken)


def test_what_a_validator_of_a_model_asks_for_is_told_by_field_and_quotes_nothing() -> None:
    with pytest.raises(InvalidValue) as refused:
        decode(shape_of(list[Meeting]), [{"startsAt": AT, "room": 100}])
    assert str(refused.value) == "$[0]: Value error, there is no such room"
    with pytest.raises(InvalidValue) as refused:
        decode(shape_of(Meeting), {"startsAt": "s3cret", "room": "s3cret"})
    assert (refused.value.path, "s3cret" in str(refused.value)) == ("$.startsAt", False)


@pytest.mark.parametrize(
    ("annotation", "answer"),
    [
        (datetime, "soon"),
        (int, "7"),
        (str, 7),
        (list[int], [1, "2"]),
        (Meeting, {"startsAt": AT, "room": 100}),
        (Computed, {"a": 1, "twice": 2}),
        (Aliased, {"user_id": 7}),
    ],
)
def test_an_answer_is_of_its_type_or_no_answer(annotation: Any, answer: Any) -> None:
    wish = question("Which one?", annotation, None)
    with pytest.raises(InvalidValue, match=r"^answer to 'Which one\?': \$"):
        wish.value(Settled(wish.name, "answered", json.dumps({"answer": answer})))


def test_a_question_is_known_by_what_it_was_known_by_before_its_schema_said_more() -> None:
    class Booking(pydantic.BaseModel):
        at: datetime
        price: pydantic.condecimal(ge=0)  # type: ignore[valid-type]
        where: pydantic.HttpUrl
        rooms: dict[int, str] = {}

    # As it was recorded then; otherwise a parked run would ask again.
    assert question("When?", Booking, None).name == "6ecba46f38440be952be7abb2e97204f"
    assert question("Which?", Gaps, None).name == "bb8d915d75aec0aa638f4ab61f97c51b"
