"""The client takes the values that steps take; an unsendable value raises its own error before any request."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from taxiway import client as api

from tests.rules.canned import KINDS, Canned, Speaker, asked, run

both = pytest.mark.parametrize("speak", KINDS)
MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
NUMBER = uuid.UUID("01890000-0000-7000-8000-000000000007")
SURROGATE = "\ud800"


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    at: datetime
    colours: tuple[Colour, ...]


ORDER = Order(NUMBER, MOMENT, (Colour.RED,))
WRITTEN = {"id": str(NUMBER), "at": "2026-03-01T09:30:00+00:00", "colours": ["red"]}


@both
def test_an_input_holds_what_a_step_may_return(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json=run()))
    speak(server).call("enqueue", "greet", {"order": ORDER}, metadata={"order": NUMBER})
    assert server.body() == {"agent": "greet", "input": {"order": WRITTEN}, "metadata": {"order": str(NUMBER)}}
    speak(server).call("enqueue", "greet", ORDER)
    assert server.body()["input"] == WRITTEN


@both
def test_a_batch_a_retry_a_signal_and_an_answer_hold_it_too(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json={"runs": []}))
    speak(server).call("enqueue_batch", [{"agent": "greet", "input": {"order": ORDER}}])
    assert server.body()["runs"][0]["input"] == {"order": WRITTEN}
    server = Canned(httpx.Response(201, json=run()))
    speak(server).on_run("retry", input={"order": ORDER})
    assert server.body()["input"] == {"order": WRITTEN}
    speak(server).on_run("signal", "paid", ORDER)
    assert server.body()["payload"] == WRITTEN
    server = Canned(httpx.Response(200, json=asked()))
    speak(server).call("answer", "wait", ORDER)
    assert server.body()["answer"] == WRITTEN


@both
@pytest.mark.parametrize("key", ["Größe-7", "a\nb", "a\rb", " a", "a ", "\x00", SURROGATE, "a\tb"])
def test_an_idempotency_key_that_no_header_holds_is_refused_with_the_fix(speak: Speaker, key: str) -> None:
    server = Canned(httpx.Response(201, json=run()))
    for call in (("enqueue", "greet"), ("enqueue_batch", [])):
        with pytest.raises(api.NotSendable, match=r"urllib\.parse\.quote"):
            speak(server).call(*call, idempotency_key=key)
    assert server.requests == []


@both
def test_an_idempotency_key_may_be_a_uuid(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json=run()))
    speak(server).call("enqueue", "greet", idempotency_key=NUMBER)
    assert server.last.headers["idempotency-key"] == str(NUMBER)


@both
@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, {1: "a"}, SURROGATE, "a\0b"])
def test_a_value_that_json_cannot_hold_is_refused_by_its_place(speak: Speaker, value: object) -> None:
    server = Canned(httpx.Response(201, json=run()))
    with pytest.raises(api.NotSendable, match=r"^\$\.input\.x"):
        speak(server).call("enqueue", "greet", {"x": value})
    assert server.requests == []


@both
@pytest.mark.parametrize(
    "call", [("put_agent", SURROGATE), ("schedule", SURROGATE), ("put_agent", ".."), ("window", "")]
)
def test_a_name_that_no_address_holds_is_refused(speak: Speaker, call: tuple[str, str]) -> None:
    server = Canned(httpx.Response(200, json={}))
    more: dict[str, Any] = {"limit": 1} if call[0] == "put_agent" else {}
    with pytest.raises(api.NotSendable):
        speak(server).call(*call, **more)
    assert server.requests == []


@both
def test_a_filter_that_no_address_holds_is_refused(speak: Speaker) -> None:
    with pytest.raises(api.NotSendable):
        speak(Canned(httpx.Response(200, json={}))).listed("runs", agent=SURROGATE)


@both
def test_an_answer_that_cannot_be_decoded_is_no_server_that_is_away(speak: Speaker) -> None:
    with pytest.raises(api.ServerFault, match="cannot be decoded"):
        speak(Canned(httpx.DecodingError("bad gzip"))).call("agents")
