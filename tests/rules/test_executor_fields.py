"""A malformed field of a host's frame raises an error of a known kind, whatever its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.activation import frame_fields
from executor.errors import Refused

STEP = {"key": "a#1#1", "name": "a", "digest": "1", "occurrence": 1, "attempts": 2, "durationMs": 7}
MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    AttributeError,
)  # the errors that a supervision treats as malformed
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_a_step_frame_becomes_a_record() -> None:
    record = frame_fields.step_record({"frame": "step", **STEP}, "succeeded", value="1")
    told = (record.key, record.name, record.digest, record.occurrence, record.attempts, record.duration_ms)
    assert told == ("a#1#1", "a", "1", 1, 2, 7)
    assert (record.status, record.value, record.error) == ("succeeded", "1", None)


@pytest.mark.parametrize("missing", ["key", "name", "digest", "occurrence", "attempts"])
def test_a_step_frame_without_a_field_is_malformed(missing: str) -> None:
    with pytest.raises(KeyError):
        frame_fields.step_record({name: value for name, value in STEP.items() if name != missing}, "succeeded")


@pytest.mark.parametrize(
    "bad",
    [{"key": 1}, {"key": None}, {"name": ["a"]}, {"name": "x" * 501}, {"digest": {}}, {"occurrence": "one"}, {"attempts": "x"}],
)  # fmt: skip
def test_a_step_frame_with_a_field_of_another_kind_is_malformed(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad)) if next(iter(bad)) in ("key", "name", "digest") else "int"):
        frame_fields.step_record({**STEP, **bad}, "succeeded")


@given(st.dictionaries(st.sampled_from(sorted(STEP)), anything))
def test_no_step_frame_raises_anything_but_what_is_taken_for_malformed(frame: dict[str, Any]) -> None:
    try:
        record = frame_fields.step_record({**STEP, **frame}, "succeeded")
    except MALFORMED:
        return
    assert all(isinstance(word, str) and len(word) <= 500 for word in (record.key, record.name, record.digest))


@given(anything)
def test_an_error_that_a_host_sent_keeps_its_known_members_bounded_and_storable(error: Any) -> None:
    try:
        kept = frame_fields.error_object(error)
    except MALFORMED:
        return
    assert set(kept) <= {"code", "type", "message", "step", "traceback", "attempts"}
    json.dumps(kept).encode()


def test_an_error_is_cut_and_cleaned() -> None:
    kept = frame_fields.error_object({"type": "E\0", "message": "x" * 10_000, "secret": 1, "attempts": 3})
    assert (kept["code"], kept["type"], len(kept["message"]), kept["attempts"]) == ("agent_error", "E\ufffd", 4096, 3)
    assert "secret" not in kept


@pytest.mark.parametrize(("data", "told"), [('{"a": 1}', {"a": 1}), ("3", {"value": 3}), ("null", {"value": None})])
def test_the_data_of_an_event_is_always_an_object(data: str, told: dict[str, Any]) -> None:
    assert json.loads(frame_fields.object_text(data)) == told


def test_an_optional_text_may_be_missing_but_not_of_another_kind() -> None:
    assert frame_fields.optional_text({"frame": "log"}, "step") is None
    assert frame_fields.optional_text({"step": "a"}, "step") == "a"
    with pytest.raises(ValueError, match="step"):
        frame_fields.optional_text({"step": 7}, "step")


WAIT = {"key": "wait:signal#a#1", "kind": "signal", "dueMs": 5, "onDue": "timeout", "request": '{"signal": "a"}'}


def test_a_wait_of_a_park_frame_becomes_a_wait() -> None:
    wait = frame_fields.new_wait(WAIT, "acme")
    assert (wait.key, wait.kind, wait.request, wait.due_ms, wait.on_due) == (
        "wait:signal#a#1", "signal", {"signal": "a"}, 5, "timeout",
    )  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        {"key": "a\0"},
        {"key": "\ud800"},
        {"onDue": "\0"},
        {"kind": "code"},
        {"dueMs": -1},
        {"dueMs": frame_fields.LONGEST_MS + 1},
    ],
)
def test_a_wait_that_cannot_be_stored_is_malformed(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="waits"):
        frame_fields.new_wait({**WAIT, **bad}, "acme")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (json.dumps({"a": "x" * frame_fields.MAX_REQUEST}), "output_too_large"),
        ("[" * 300 + "]" * 300, "invalid_output"),
    ],
)
def test_a_wait_that_asks_too_much_is_refused(request_: str, code: str) -> None:
    """The question is published in an event, and an event has 64 KiB at most."""
    with pytest.raises(Refused) as refused:
        frame_fields.new_wait({**WAIT, "request": request_}, "acme")
    assert refused.value.code == code


ASKED = {"provider": "bank", "subject": "ann", "scopes": ["read"], "onDeny": "fail"}


def test_a_wait_for_an_authorization_belongs_to_the_tenant_of_its_run() -> None:
    wait = frame_fields.new_wait(
        {**WAIT, "kind": "authorization", "request": json.dumps({**ASKED, "tenant": "other"})}, "acme"
    )
    assert (wait.grant_key, len(wait.nonce or "")) == ("acme/bank/ann", 32)
    elsewhere = json.dumps({**ASKED, "url": "https://bank.example"})
    assert frame_fields.new_wait({**WAIT, "kind": "authorization", "request": elsewhere}, "acme").grant_key is None


@pytest.mark.parametrize(
    "bad",
    [
        {"provider": "a/b"}, {"provider": 1}, {"provider": ""}, {"subject": ""}, {"subject": None}, {"scopes": "read"},
        {"scopes": [1]}, {"scopes": ["a"] * 101}, {"url": "javascript:alert(1)"}, {"url": 7},
    ],
)  # fmt: skip
def test_an_authorization_that_could_not_be_asked_for_is_malformed(bad: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        frame_fields.new_wait({**WAIT, "kind": "authorization", "request": json.dumps({**ASKED, **bad})}, "acme")
