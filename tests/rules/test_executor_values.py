"""JSON from agents is checked before it can reach a batch that others share."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.activation.json_limits import checked, storable
from executor.errors import Refused

LIMIT = 1000


def _refusal(text: object, limit: int = LIMIT) -> Refused:
    with pytest.raises(Refused) as caught:
        checked(text, limit, "the value")
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "[Infinity]", '{"a": -Infinity}', "", "{", "nope", '"a" "b"', "'a'", '"\x00"',
        r'"\u0000"', r'["a\u0000b"]', r'{"\u0000": 1}', r'{"a": [{"b": "\u0000"}]}', r'"\ud800"', r'"a\udfff"',
        r'{"\udc00": 1}', '"\ud800"', r'"\\\u0000"', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_cannot_be_stored_or_is_no_json_is_refused(text: str) -> None:
    refused = _refusal(text, limit=1_000_000)
    assert refused.code == "invalid_output"
    assert str(refused).startswith("the value is not valid JSON")


@pytest.mark.parametrize(
    "text",
    ["null", "[]", r'"\\u0000"', r'{"\\u0000": "\\ud800"}', r'"\ud83d\ude00"', '"\N{GRINNING FACE}"', r'"\u00e4"', "1e999"]
)  # fmt: skip
def test_what_only_looks_dangerous_is_kept_as_it_came(text: str) -> None:
    assert checked(text, LIMIT, "the value") is text


def test_size_is_counted_in_bytes() -> None:
    assert checked(f'"{"ä" * 10}"', 22, "the value")
    refused = _refusal(f'"{"ä" * 10}"', limit=21)
    assert (refused.code, str(refused)) == ("output_too_large", "the value has 22 bytes; 21 are allowed")


def test_half_a_surrogate_that_came_unescaped_is_refused_for_its_kind_also_when_sizes_are_counted() -> None:
    assert _refusal('"\ud800"', limit=5).code == "invalid_output"


@pytest.mark.parametrize("value", [None, 1, b"1", {"a": 1}, ["x"]])
def test_a_value_that_is_no_text_is_missing(value: object) -> None:
    assert str(_refusal(value)) == "the value is missing"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_a_value_is_kept_unless_a_text_in_it_cannot_be_stored(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    if _unstorable(value):
        assert _refusal(text, 1 << 20).code == "invalid_output"
    else:
        assert checked(text, 1 << 20, "it") == text


def _unstorable(value: object) -> bool:
    if isinstance(value, str):
        return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return any(_unstorable(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(map(_unstorable, value))


@given(st.text())
def test_any_free_text_becomes_storable(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert kept.encode().decode() == kept


def test_free_text_that_was_storable_is_untouched() -> None:
    assert storable("Grüße \N{GRINNING FACE}\n") == "Grüße \N{GRINNING FACE}\n"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deep_for_whoever_reads_it_later_is_refused(opening: str, closing: str) -> None:
    assert checked(opening * 200 + "1" + closing * 200, 10_000, "it")
    with pytest.raises(Refused, match="200 levels"):
        checked(opening * 201 + "1" + closing * 201, 10_000, "it")


def test_what_is_wide_and_not_deep_is_taken() -> None:
    assert checked("[" + ",".join(["[1]"] * 500) + "]", 10_000, "it")
