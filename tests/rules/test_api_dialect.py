"""The API checks formats, patterns and decimal numbers as agents read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.json_schema.violations import violations


def told(schema: Any, value: Any) -> list[str]:
    return [error.detail for error in violations(value, json.dumps(schema), "input", "the agent")]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", ["2026-01-02T03:04:05Z", "2026-01-02 03:04"], ["2026-02-30T00:00", "2026-01-02", "soon"]),
        ("date", ["2026-01-02"], ["2026-02-30", "20260102"]),
        ("time", ["03:04", "03:04:05Z"], ["25:00", "noon"]),
        ("duration", ["P1D", "PT5M"], ["P", "PT", "P9999999999D"]),
        ("iso-duration", ["-P999999999D", "PT0.5S"], ["-P999999999DT1S", "P999999999DT24H", "P1Y"]),
        ("uuid", ["00000000-0000-0000-0000-000000000005"], ["0" * 32, "x"]),
        ("uuid4", ["00000000-0000-4000-8000-00000000000a"], ["00000000-0000-1000-8000-00000000000a"]),
        ("uri", ["https://example.com/a?b=1", "mailto:a@b.example"], ["x", "http://", "://", "http:x"]),
        ("multi-host-uri", ["postgres://a:1,b:2/db"], ["x"]),
        ("email", ["ann@example.com", "jürgen@bücher.example"], ["ann", "ann@", "a b@example.com", "ann@example"]),
        ("ipv4", ["127.0.0.1"], ["256.0.0.1", "1"]),
        ("ipv6", ["::1"], ["1:2"]),
        ("ipvanyaddress", ["::1", "127.0.0.1"], ["x"]),
        ("ipv4network", ["10.0.0.0/8"], ["10.0.0.1/8"]),
        ("base64", ["eA=="], ["eA", "e?"]),
        ("something-else", ["anything"], []),
    ],
)  # fmt: skip
def test_a_text_of_a_format_is_one_that_agents_read(name: str, good: list[str], bad: list[str]) -> None:
    schema = {"type": "string", "format": name}
    assert [text for text in good if told(schema, text)] == []
    assert [told(schema, text) for text in bad] == [[f"must be a {name}"]] * len(bad)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("^ab$", ["ab"], ["ab\n", "xab"]),
        (r"^\p{L}+$", ["é"], ["1"]),
        (r"x\z", ["ax"], ["xa"]),
        ("(?i)^ab$", ["AB"], ["b"]),
        ("^(?!a)b", ["b"], ["a"]),
    ],
)
def test_a_pattern_means_what_it_means_to_a_model(pattern: str, good: list[str], bad: list[str]) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert [text for text in good if told(schema, text)] == []
    assert [told(schema, text) for text in bad] == [[f"must match {pattern}"]] * len(bad)


@pytest.mark.parametrize("schema", [{"pattern": "("}, {"x-taxiway-decimal": {"ge": "many"}}])
def test_what_no_engine_reads_refuses_the_value_and_breaks_nothing(schema: Any) -> None:
    assert told(schema, "a") == ["cannot be compared with the schema of the agent"]


def test_the_limits_of_a_decimal_hold_for_texts_as_for_numbers() -> None:
    schema = {"x-taxiway-decimal": {"ge": "0.1", "lt": "50", "maxDigits": 4, "decimalPlaces": 2, "multipleOf": "0.05"}}
    assert [value for value in ("0.15", 0.15, "49.95", 1, None, []) if told(schema, value)] == []
    assert told(schema, "0.05") == ["Input should be greater than or equal to 0.1"]
    assert told(schema, 60) == ["Input should be less than 50"]
    assert told(schema, "1.234") == ["Decimal input should have no more than 2 decimal places"]
    assert told(schema, 0.12) == ["Input should be a multiple of 0.05"]
    assert told(schema, "NaN") == ["Input should be a finite number"]


def test_an_integer_beyond_every_float_is_an_integer_and_no_number() -> None:
    assert told({"type": "number"}, 10**400) == ["must be of type number"]
    assert told({"type": "integer", "multipleOf": 3}, 10**400) == [
        "does not satisfy multipleOf of the schema of the agent"
    ]
    assert not told({"type": ["number", "integer"]}, 10**400)
    assert not told({"type": "number"}, 10**300)


def test_a_text_that_has_neither_the_pattern_nor_the_format_is_told_so_once() -> None:
    assert told({"type": "string", "format": "date-time", "pattern": "^2"}, "soon") == ["must be a date-time"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(?=a)(a|a)*$"}, "a" * 60 + "!"),
        ({"patternProperties": {"^(?=a)(a|a)*$": {}}}, {"a" * 60 + "!": 1}),
        ({"patternProperties": {"^(?=a)(a|a)*$": {}}, "additionalProperties": False}, {"a" * 60 + "!": 1}),
        ({"propertyNames": {"pattern": "^(?=a)(a|a)*$"}}, {"a" * 60 + "!": 1}),
        ({"allOf": [{"patternProperties": {"^(a|a)*$": {}}}], "unevaluatedProperties": False}, {"a" * 60 + "!": 1}),
    ],
)
def test_a_pattern_that_would_take_for_ever_is_given_up(schema: dict[str, Any], value: Any) -> None:
    [error] = violations(value, json.dumps(schema), "input", "the agent")
    assert error.detail == "cannot be compared with the schema of the agent"


def test_properties_are_told_by_patterns_that_take_linear_time() -> None:
    schema = {
        "properties": {"known": {}},
        "patternProperties": {"^(a|a)*$": {"type": "integer"}},
        "additionalProperties": {"type": "boolean"},
    }
    value = {"known": "x", "a" * 60 + "!": True, "aa": 1}
    assert violations(value, json.dumps(schema), "input", "the agent") == []
    wrong = violations(value | {"aaa": "no", "b": 1}, json.dumps(schema), "input", "the agent")
    assert [error.field for error in wrong] == ["input.aaa", "input.b"]
