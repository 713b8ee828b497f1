"""Inputs, answers, signals and results pass unchanged from one side to the other, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pydantic
import pytest
import taxiway
from jsonschema import Draft202012Validator
from taxiway.agents import DECLARED, Agent, agent
from taxiway.annotation_shapes import shape_of
from taxiway.codec import given
from taxiway.decode import decode
from taxiway.errors import InvalidValue
from taxiway.schema import value_schema
from taxiway.testing import answer, play, signal

from tests.rules.drawn import Animal, Approved, Colour, Dog, Planet, Rejected, Right
from tests.rules.drawn_models import Aliased, Item, Secret


def declared(function: Callable[..., Any]) -> Agent:
    agent(function)
    return DECLARED.pop()


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Film(TypedDict, total=False):
    title: str


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Planet, Planet.EARTH),
        (Pair, Pair(1)),
        (Literal["a", 1], 1),
        (Colour | None, Colour.BLUE),
        (Film, {"title": "x"}),
        (Aliased, Aliased(userId=7)),
        (Decimal, Decimal("1.5")),
        (dict[int, str], {1: "a"}),
        (set[UUID], {UUID(int=1)}),
    ],
)
def test_an_input_goes_from_one_agent_to_another_as_it_is(annotation: Any, value: Any) -> None:
    def main(run, x) -> None: ...  # type: ignore[no-untyped-def]

    main.__annotations__["x"] = annotation
    subject = declared(main)
    assert subject.read_input(subject.write_input({"x": value})) == {"x": value}


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (Approved | Rejected, Rejected("x"), r"\$\.x: is a .*Rejected, which is not distinguishable from another"),
        (Animal, Dog("Rex"), r"\$\.x: is a .*Dog, which would read back as a Animal"),
        (Secret, Secret(token=pydantic.SecretStr("s")), r"\$\.x: is a .*Secret that would read back as another value"),
    ],
)
def test_an_input_that_another_agent_would_take_for_something_else_is_refused(
    annotation: Any, value: Any, says: str
) -> None:
    with pytest.raises(InvalidValue, match=says):
        given({"x": shape_of(annotation)}, None, {"x": value})


@pytest.mark.parametrize(
    ("annotation", "accepted", "refused"),
    [
        (datetime, "2026-01-02T03:04:05Z", "yesterday"),
        (Decimal, "1e5", "1,5"),
        (bytes, "eA==", "eA="),
        (set[int], [1, 2], [1, 1]),
        (Right, 3, 9),
        (Planet, [5.97e24, 6370000], [1, 2]),
        (dict[int, str], [[1, "a"]], {"1": "a"}),
    ],
)
def test_the_door_and_the_agent_agree(annotation: Any, accepted: Any, refused: Any) -> None:
    door = Draft202012Validator(value_schema(shape_of(annotation)))
    assert door.is_valid(accepted)
    decode(shape_of(annotation), accepted)
    assert not door.is_valid(refused)


@agent(name="codec-child")
def child(run: taxiway.Run, animal: Animal, when: datetime) -> Animal | Item:
    return Dog(animal.name + f" {when.year}") if animal.age < 1 else Item(sku="a", at=when)


@agent(name="codec-parent")
def parent(run: taxiway.Run) -> list[str]:
    at = datetime(2026, 1, 1)
    one = run.spawn(child, {"animal": Animal("Rex"), "when": at}).result()
    more = run.gather(*run.map("codec-child", [{"animal": Animal("a", 2.0), "when": at}]))
    return [repr(one), repr(more)]


def test_children_take_values_as_they_are_and_give_them_back() -> None:
    assert play(parent).result == [repr(Dog("Rex 2026")), repr([Item(sku="a", at=datetime(2026, 1, 1))])]


@agent(name="codec-again")
def again(run: taxiway.Run, at: datetime, left: int = 1) -> str:
    if left:
        run.restart(at=at, left=0)
    return repr(at)


def test_a_run_that_begins_again_takes_values_as_they_are() -> None:
    assert play(again, restarts=0, at=datetime(2026, 1, 1)).next_input == {"at": "2026-01-01T00:00:00", "left": 0}


@agent(name="codec-asks")
def asks(run: taxiway.Run) -> list[str]:
    answered = run.ask("Which?", Planet)
    heard = run.wait_for("news", schema=list[Approved])
    return [repr(answered), repr(heard)]


def test_answers_and_signals_come_as_their_types() -> None:
    outcome = play(asks, given=[answer("Which?", [5.97e24, 6.37e6]), signal("news", [{"reason": "x"}])])
    assert outcome.result == [repr(Planet.EARTH), repr([Approved("x")])]
