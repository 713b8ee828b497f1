"""Input schemas, checked with an independent validator."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypedDict
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from taxiway.agents import DECLARED, Agent, agent
from taxiway.errors import InvalidValue, UnknownType


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Node:
    name: str
    children: list[Node]
    colour: Colour = Colour.RED


class Movie(TypedDict, total=False):
    title: str


def declared(function: Callable[..., Any]) -> Agent:
    agent(function)
    return DECLARED.pop()


def everything(
    run: Any,
    text: str,
    count: int,
    share: float,
    sure: bool,
    nothing: None,
    names: list[str],
    table: dict[str, int],
    pair: tuple[int, str],
    many: tuple[float, ...],
    mode: Literal["a", "b"],
    colour: Colour,
    either: int | str | None,
    tree: Node,
    movie: Movie,
    when: datetime,
    key: UUID,
    whatever: Any,
    bare,  # type: ignore[no-untyped-def]
    given: int = 3,
    *,
    later: Colour = Colour.BLUE,
) -> None: ...


GOOD: dict[str, Any] = {
    "text": "x",
    "count": 1,
    "share": 1,
    "sure": True,
    "nothing": None,
    "names": ["a"],
    "table": {"a": 1},
    "pair": [1, "a"],
    "many": [1.5],
    "mode": "a",
    "colour": "red",
    "either": None,
    "tree": {"name": "a", "children": [{"name": "b", "children": []}]},
    "movie": {},
    "when": "2026-01-02T03:04:05Z",
    "key": "00000000-0000-0000-0000-000000000007",
    "whatever": {"x": [1]},
    "bare": 1,
}


def test_a_schema_says_what_every_kind_of_hint_means() -> None:
    schema = declared(everything).schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == list(GOOD)
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["given"] == {"type": "integer", "default": 3}
    assert properties["later"] == {"enum": ["red", "blue"], "default": "blue"}
    assert properties["when"].items() >= {"type": "string", "format": "date-time"}.items()
    # The interpreter caches equal unions, in the order of the first one written.
    assert sorted(each["type"] for each in properties["either"]["anyOf"]) == ["integer", "null", "string"]
    assert properties["tree"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["required"] == ["name", "children"]


BAD: list[Any] = [None, 0, 1.5, "x", True, [], [1], [1, 2], {}, {"a": "b"}, {"name": "a"}, {"name": "a", "children": 1}]


@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("whatever", "bare", "when", "key")])
def test_the_schema_and_the_reader_agree_on_every_value(name: str) -> None:
    subject = declared(everything)
    validator = Draft202012Validator(subject.schema())
    for value in [GOOD[name], *BAD]:
        given_input = {**GOOD, name: value}
        try:
            subject.read_input(json.dumps(given_input))
            read = True
        except InvalidValue:
            read = False
        assert validator.is_valid(given_input) == read, (name, value)


def test_what_the_reader_reads_is_what_the_hints_say() -> None:
    arguments = declared(everything).read_input(json.dumps(GOOD))
    assert arguments["tree"] == Node("a", [Node("b", [])])
    assert arguments["pair"] == (1, "a")
    assert arguments["key"] == UUID(int=7)
    assert arguments["when"].year == 2026
    assert "given" not in arguments, "Python fills in its own defaults"


def test_an_agent_with_keyword_arguments_takes_any_others() -> None:
    def open_ended(run: Any, a: int, **rest: str) -> None: ...
    def anything(run: Any, **rest) -> None: ...  # type: ignore[no-untyped-def]

    assert declared(open_ended).schema()["additionalProperties"] == {"type": "string"}
    assert declared(anything).schema()["additionalProperties"] is True
    assert declared(open_ended).read_input('{"a": 1, "b": "x"}') == {"a": 1, "b": "x"}
    with pytest.raises(InvalidValue, match=r"\$\.b: expected text"):
        declared(open_ended).read_input('{"a": 1, "b": 2}')


@pytest.mark.parametrize("given_input", ["[]", "1", "null"])
def test_input_that_is_no_object_is_refused(given_input: str) -> None:
    def main(run: Any) -> None: ...

    with pytest.raises(InvalidValue, match="expected an object"):
        declared(main).read_input(given_input)


def test_two_classes_of_one_name_keep_their_own_definitions() -> None:
    def local() -> Any:
        @dataclass
        class Node:
            other: int

        return Node

    def main(run, a, b) -> None: ...  # type: ignore[no-untyped-def]

    main.__annotations__ = {"a": Node, "b": local()}
    schema = declared(main).schema()
    assert len(schema["$defs"]) == 2
    assert schema["properties"]["a"] != schema["properties"]["b"]


def test_a_default_that_is_not_json_is_left_out() -> None:
    marker = object()

    def main(run, a=marker) -> None: ...  # type: ignore[no-untyped-def]

    assert declared(main).schema()["properties"] == {"a": {}}


def test_a_hint_that_json_has_no_counterpart_of_names_the_input() -> None:
    def main(run: Any, data: complex) -> None: ...

    with pytest.raises(UnknownType, match="input 'data': complex"):
        declared(main).schema()


TYPES = st.recursive(
    st.sampled_from([int, float, str, bool, None, Colour, Literal["a", 1], Any]),
    lambda inner: (
        st.builds(lambda t: list[t], inner)  # type: ignore[valid-type]
        | st.builds(lambda t: dict[str, t], inner)  # type: ignore[valid-type]
        | st.builds(lambda a, b: tuple[a, b], inner, inner)
        | st.builds(lambda a, b: a | b if a is not None and b is not None and Any not in (a, b) else a, inner, inner)
    ),
    max_leaves=5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.5, 2.0, "a", "red"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TYPES, JSON)
def test_the_schema_accepts_a_value_exactly_when_the_reader_does(hint: Any, value: Any) -> None:
    def main(run, x) -> None: ...  # type: ignore[no-untyped-def]

    main.__annotations__ = {"x": hint}
    subject = declared(main)
    try:
        subject.read_input(json.dumps({"x": value}))
        read = True
    except InvalidValue:
        read = False
    assert Draft202012Validator(subject.schema()).is_valid({"x": value}) == read
