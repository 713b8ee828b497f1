"""The commands that `make up` prints have an input that fits every agent."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from taxiway.agents import DECLARED, agent
from taxiway.cli import inputs

from ops.example import Example, example_of, fitting
from ops.up import examples


class Colour(Enum):
    RED = "red"


@dataclass
class Node:
    name: str
    inner: Node | None
    colour: Colour = Colour.RED


class Spot(NamedTuple):
    x: int
    label: str = "don't"


class Order(BaseModel):
    code: str = Field(min_length=12)
    count: int = Field(ge=7, multiple_of=5)
    share: float = Field(gt=2, lt=9)
    lines: list[Node] = Field(min_length=2)


def nothing(run: Any) -> None: ...
def defaults(run: Any, a: int = 1, b: str = "x") -> None: ...
def scalars(run: Any, text: str, n: int, share: float, sure: bool, none: None) -> None: ...
def quoting(run: Any, kind: Literal["it's", "b"], code: Literal["12"], flag: Literal["true"]) -> None: ...
def parsed(run: Any, when: datetime, key: UUID, colour: Colour, page_url: str, either: int | None) -> None: ...
def nested(run: Any, order: Order, node: Node, spot: Spot, pair: tuple[int, str], table: dict[str, int]) -> None: ...
def anything(run: Any, what, **rest: int) -> None: ...  # type: ignore[no-untyped-def]


ALL = [nothing, defaults, scalars, quoting, parsed, nested, anything]


def shown(function: Callable[..., Any], workers: int = 1) -> dict[str, Any]:
    agent(function)
    return {"name": function.__name__, "inputSchema": DECLARED.pop().schema(), "workers": workers}


@pytest.mark.parametrize("function", ALL)
def test_both_lines_carry_an_input_that_fits(function: Callable[..., Any]) -> None:
    agents = [shown(function)]
    example = example_of(agents, "license_audit")
    assert example.known
    validator = Draft202012Validator(agents[0]["inputSchema"], format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.validate(example.input)
    [_, _, curl, _, enqueue] = examples("up.env", example).splitlines()
    words = shlex.split(curl)
    body = json.loads(words[words.index("-d") + 1])
    assert (body["agent"], body.get("input", {})) == (function.__name__, example.input)
    words = shlex.split(enqueue)
    assert words[1:3] == ["enqueue", function.__name__]
    pairs = [words[place + 1] for place, word in enumerate(words) if word == "-i"]
    document = words[words.index("--input") + 1] if "--input" in words else None
    assert inputs.read_input(document, pairs) == example.input


def test_the_lines_read_as_a_person_would_write_them() -> None:
    line = examples("up.env", example_of([shown(scalars)], "x")).splitlines()[-1]
    assert (
        line
        == "  .venv/bin/taxiway enqueue scalars -i text='an example' -i n=1 -i share=1 -i sure=true -i none=null --watch"
    )


def test_the_sample_comes_first_and_then_whichever_agent_an_input_is_found_for() -> None:
    impossible = {"name": "a", "inputSchema": {"type": "object", "required": ["x"], "properties": {"x": False}}}
    possible = {"name": "b", "inputSchema": {"type": "object"}}
    assert example_of([possible, shown(nothing)], "nothing") == Example("nothing")
    assert example_of([impossible, possible], "nothing") == Example("b")
    assert example_of([impossible], "nothing") == Example("a", known=False)
    assert "a needs an input;" in examples("up.env", example_of([impossible], "nothing"))
    assert example_of([], "nothing").agent == "AGENT"


SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "required", "items", "enum", "anyOf", "$ref", "minimum", "minLength",
                         "multipleOf"]),
        inner | st.sampled_from(["object", "array", "string", "integer", "#/$defs/a", "#"]), max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given_any(st.dictionaries(st.sampled_from(["type", "properties", "required", "$ref"]), SCHEMAS))
def test_any_schema_gives_an_input_or_none(schema: Any) -> None:
    assert isinstance(fitting(schema), dict | None)
