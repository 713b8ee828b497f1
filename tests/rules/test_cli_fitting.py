"""Values of `-i` take the types of the agent's input, and a mismatch shows how a value was read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest
from jsonschema import Draft202012Validator
from taxiway.agents import DECLARED, agent
from taxiway.cli.fitting import fits

from tests.rules.canned import RUN_ID, Canned, problem, run
from tests.rules.command_line import Invoke


@dataclass
class Node:
    name: str
    inner: Node | None = None


def subject(
    run: Any, text: str, count: int, either: int | str, maybe: str | None, code: Literal["1", 2], share: float, sure: bool,
    nodes: list[Node], node: Node, whatever: Any, **rest: str,
) -> None: ...  # fmt: skip


agent(subject)
SCHEMA = DECLARED.pop().schema()
AGENTS = httpx.Response(200, json={"agents": [{"name": "other"}, {"name": "greet", "inputSchema": SCHEMA}]})
ACCEPTED = httpx.Response(201, json=run("QUEUED"))
TYPED = {
    "text": ("12345", "12345"), "count": ("7", 7), "either": ("7", 7), "maybe": ("null", None), "code": ("1", "1"),
    "share": ("2", 2),
    "sure": ("true", True), "nodes": ('[{"name": "a"}]', [{"name": "a"}]), "node": ('{"name": "a"}', {"name": "a"}),
    "whatever": ("3", 3), "another": ("4", "4"),
}  # fmt: skip


def test_each_value_is_read_as_its_field_takes_it(invoke: Invoke) -> None:
    server = Canned(AGENTS, ACCEPTED)
    pairs = [word for name, (text, _) in TYPED.items() for word in ("-i", f"{name}={text}")]
    assert invoke(server, "enqueue", "greet", *pairs).exit_code == 0
    given = server.body()["input"]
    assert given == {name: value for name, (_, value) in TYPED.items()}
    Draft202012Validator(SCHEMA).validate(given)


def test_a_text_that_was_put_into_quotes_for_its_field_stays_one(invoke: Invoke) -> None:
    server = Canned(ACCEPTED)
    assert invoke(server, "enqueue", "greet", "-i", 'text="12345"', "-i", "maybe=A7").exit_code == 0
    assert server.body()["input"] == {"text": "12345", "maybe": "A7"}
    assert len(server.requests) == 1, "the server is asked only about what could be JSON"


@pytest.mark.parametrize(
    "agents", [problem(403, "forbidden", "This needs the scope read."), httpx.Response(200, json={"agents": []})]
)
def test_where_the_schema_is_not_known_json_is_json_and_a_refusal_says_what_to_write(
    invoke: Invoke, agents: httpx.Response
) -> None:
    errors = [
        {"field": "input.text", "detail": "must be of type string"},
        {"field": "input.count", "detail": "must be of type integer"},
    ]
    refused = problem(422, "invalid_input", "The input does not fit.", errors=errors)
    result = invoke(
        Canned(agents, refused), "enqueue", "greet", "-i", "text=12345", "-i", "count=many", "-i", "sure=true"
    )
    assert result.exit_code == 2
    assert "-i text=12345 was read as JSON; for text, write -i text='\"12345\"'." in result.stderr
    assert "-i count=… was read as text" in result.stderr
    assert "input.text: must be of type string" in result.stderr
    assert "sure" not in result.stderr


def test_a_schedules_run_is_read_in_the_same_way(invoke: Invoke) -> None:
    nightly = {"name": "nightly", "run": {"agent": "greet"}, "cron": "* * * * *", "timezone": "UTC", "overlap": "skip",
               "catchUp": "none", "paused": False, "next": [], "firings": []}  # fmt: skip
    server = Canned(AGENTS, httpx.Response(200, json=nightly))
    invoke(server, "schedules", "put", "nightly", "greet", "-i", "text=12345", "--cron", "* * * * *")
    assert server.body()["run"]["input"] == {"text": "12345"}


def test_a_signal_carries_members_or_one_payload(invoke: Invoke) -> None:
    server = Canned(httpx.Response(202, json=run("RUNNING")))
    assert invoke(server, "signal", RUN_ID, "paid", "-i", "n=1", "-i", "by=Ann").exit_code == 0
    assert server.body() == {"payload": {"n": 1, "by": "Ann"}}
    assert invoke(server, "signal", RUN_ID, "paid", "3", "-i", "n=1").exit_code == 2


@pytest.mark.parametrize("value", [None, True, 1, 1.5, 2.0, "x", "1", [], {}, [1], {"a": 1}])
@pytest.mark.parametrize(
    "part",
    [
        {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": ["string", "null"]}, {"enum": ["1", True]},
        {"const": 1}, {"anyOf": [{"type": "null"}, {"type": "array"}]}, {"allOf": [{"type": "object"}, {}]}, {}, True, False,
        {"$ref": "#/$defs/a~1b"}, {"oneOf": [{"type": "boolean"}, {"type": "object"}]},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_fitting_agrees_with_a_validator(part: Any, value: Any) -> None:
    root = {"$defs": {"a/b": {"type": "boolean"}}}
    whole = {**root, "properties": {"it": part}}
    assert fits(part, value, root) == Draft202012Validator(whole).is_valid({"it": value})


def test_a_schema_that_leads_to_itself_takes_anything() -> None:
    assert fits({"$ref": "#/$defs/a"}, 1, {"$defs": {"a": {"$ref": "#/$defs/a"}}})
