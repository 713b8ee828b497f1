"""What the API's door takes, agents take: inputs, answers and payloads, of any annotation and drawn by the thousand."""

from __future__ import annotations

import importlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from api.conforming import violations
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from taxiway.approvals import APPROVAL, QuestionWish, question
from taxiway.codec import given as given_input
from taxiway.decode import decode
from taxiway.errors import InvalidValue, UnknownType
from taxiway.same import same
from taxiway.schema import value_schema
from taxiway.shapes import Shape, shape_of
from taxiway.waits import SIGNAL, Settled, SignalWish

from tests.rules.drawn import annotations
from tests.rules.drawn_fields import FIELDS, OWN, Cat, Gaps, Hound, Strictly, models
from tests.rules.drawn_json import values
from tests.rules.drawn_models import Aliased, Computed
from tests.rules.test_sdk_any_value import many

MODELS = models()
ANNOTATIONS = MODELS | MODELS | st.sampled_from([*FIELDS, *OWN]) | annotations().map(lambda drawn: drawn[0])


def takes(schema: Any, value: Any) -> bool:
    return not violations(value, json.dumps(schema), "input", "the agent")


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Shape, Any]:
    annotation = draw(ANNOTATIONS)
    try:
        shape = shape_of(annotation)
        schema = value_schema(shape)
    except UnknownType:
        assume(False)
    return shape, draw(values(schema))


@many
@given(drawn())
def test_what_the_door_takes_the_agent_takes(drawn: tuple[Shape, Any]) -> None:
    shape, value = drawn
    schema = value_schema(shape)
    if not takes(schema, value):
        return
    taken = decode(shape, value)
    try:
        written = json.loads(given_input({"x": shape}, None, {"x": taken}))["x"]
    except InvalidValue:  # a secret, say, which no model writes
        return
    assert takes(schema, written), (schema, written)
    assert same(decode(shape, written), taken), (written, taken)


@settings(many, max_examples=many.max_examples // 2)
@given(drawn())
def test_an_answer_and_a_payload_are_read_as_an_input_is(drawn: tuple[Shape, Any]) -> None:
    shape, value = drawn
    asked = QuestionWish(APPROVAL, "q", request={"prompt": "?"}, shape=shape)
    awaited = SignalWish(SIGNAL, "s", shape=shape)
    if takes(value_schema(shape), value):
        taken = decode(shape, value)
        assert same(asked.value(Settled("q", "answered", json.dumps({"answer": value}))), taken)
        assert same(awaited.value(Settled("s", "delivered", json.dumps(value))), taken)


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
    assert not takes(value_schema(shape), value)


@pytest.mark.parametrize(
    ("annotation", "value", "taken"),
    [
        (Strictly, {"count": 1.0, "many": [2.0], "ratio": 3.0}, Strictly(count=1, many=[2], ratio=3.0)),
        (Strictly, {"count": 1e20}, Strictly(count=10**20)),
        (set[datetime], [AT, "2026-01-02T03:04:05+00:00"], {datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        (Gaps, 5, Gaps.FIRST | Gaps.THIRD),
    ],
)
def test_what_the_door_takes_is_read_as_it_was_meant(annotation: Any, value: Any, taken: Any) -> None:
    shape = shape_of(annotation)
    assert takes(value_schema(shape), value)
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

    # As it was recorded then; a run that asked and is parked would otherwise ask again.
    assert question("When?", Booking, None).name == "6ecba46f38440be952be7abb2e97204f"
    assert question("Which?", Gaps, None).name == "bb8d915d75aec0aa638f4ab61f97c51b"
