"""A decision that does not fit its question is refused in words, and the run does not wake."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pydantic
import pytest
from taxiway.approvals import question

from tests.system.fake_worker import FakeWorker
from tests.system.people import SETTINGS, asks, decide, kept, refused, run_state, token_of, wants

ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}},
    "required": ["street"],
    "additionalProperties": False,
}
pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"decision": "approve"}, "choice", "one of: card, voucher"),
        ({"decision": "approve", "choice": "cash"}, "choice", "one of: card, voucher"),
        ({"decision": "deny", "choice": "card"}, "choice", "must not be sent with a denial"),
        ({"decision": "answer", "answer": 1}, "decision", "approve or deny this one"),
        ({"decision": "approve", "choice": "card", "answer": 1}, "answer", "approve or deny this one"),
    ],
)
def test_a_decision_that_does_not_fit_an_approval_is_refused_in_words(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, body: dict[str, Any], field: str, said: str
) -> None:
    wait = asks(choices=["card", "voucher"])
    fake_worker.ask(run, wait)
    answer = decide(anybody, wait, **body)
    assert refused(answer) == (422, "invalid_answer")
    assert answer.json()["errors"][0]["field"] == field
    assert said in answer.json()["detail"]
    assert kept(fake_worker, wait)["outcome"] is None


def test_a_choice_is_refused_where_there_are_none(anybody: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    assert refused(decide(anybody, wait, choice="card")) == (422, "invalid_answer")
    assert decide(anybody, wait, comment="  ").json()["outcome"]["comment"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "deny"}, "decision"),
        ({"decision": "approve"}, "decision"),
        ({"decision": "answer"}, "answer"),
        ({"decision": "answer", "answer": None}, "answer"),
        ({"decision": "answer", "answer": "Elm 7"}, "answer"),
        ({"decision": "answer", "answer": {"number": 7}}, "answer.street"),
        ({"decision": "answer", "answer": {"street": "Elm", "number": 0}}, "answer.number"),
        ({"decision": "answer", "answer": {"street": "Elm", "zip": 1}}, "answer.zip"),
        ({"decision": "answer", "answer": {"street": "Elm"}, "choice": "card"}, "choice"),
        ({"decision": "answer", "answer": {"street": "a\0b"}}, "answer"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_before_the_run_wakes(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, body: dict[str, Any], field: str
) -> None:
    wait = wants(ADDRESS)
    fake_worker.ask(run, wait)
    answer = decide(anybody, wait, **body)
    assert refused(answer) == (422, "invalid_answer")
    assert answer.json()["errors"][0]["field"] == field
    assert run_state(fake_worker, run)[0] == "PAUSED"
    assert kept(fake_worker, wait)["outcome"] is None


def test_an_answer_that_fits_is_given_to_the_run(anybody: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = wants(ADDRESS)
    fake_worker.ask(run, wait)
    answer = decide(anybody, wait, "answer", answer={"street": "Élm \N{SNOWMAN}", "number": 7})
    assert answer.json()["outcome"]["answer"] == {"street": "Élm \N{SNOWMAN}", "number": 7}
    assert json.loads(kept(fake_worker, wait)["answer"]) == {"answer": {"street": "Élm \N{SNOWMAN}", "number": 7}}
    assert run_state(fake_worker, run) == ("RUNNING", "answered")


class Booking(pydantic.BaseModel):
    at: pydantic.AwareDatetime
    price: Annotated[Decimal, pydantic.Field(ge=0)] = Decimal(0)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"at": "soon"}, "answer.at"),
        ({"at": "2026-02-30T00:00:00Z"}, "answer.at"),
        ({"at": "2026-01-02T03:04:05"}, "answer.at"),
        ({"at": "2026-01-02T03:04:05Z", "price": "-0.5"}, "answer.price"),
    ],
)
def test_what_the_agents_model_would_not_read_is_no_answer(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, answer: Any, field: str
) -> None:
    wait = wants(question("When?", Booking, None).request["answer"])
    fake_worker.ask(run, wait)
    refusal = decide(anybody, wait, "answer", answer=answer)
    assert (refused(refusal), refusal.json()["errors"][0]["field"]) == ((422, "invalid_answer"), field)
    assert run_state(fake_worker, run)[0] == "PAUSED"
    assert decide(anybody, wait, "answer", answer={"at": "2026-01-02T03:04:05Z", "price": "0.5"}).status_code == 200


def test_null_is_an_answer_where_the_schema_takes_it(anybody: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = wants({"anyOf": [{"type": "string"}, {"type": "null"}]})
    fake_worker.ask(run, wait)
    assert decide(anybody, wait, "answer", answer=None).status_code == 200
    assert json.loads(kept(fake_worker, wait)["answer"]) == {"answer": None}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"token": "%s", "decision": "answer", "answer": "' + b"x" * 70_000 + b'"}', 413, "payload_too_large"),
        (b'{"token": "%s", "decision": "answer", "answer": "' + b"x" * 400_000 + b'"}', 413, "payload_too_large"),
        (b'{"token": "%s", "decision": "answer", "answer": ' + b"[" * 300 + b"]" * 300 + b"}", 400, "invalid_json"),
        (b'{"token": "%s", "decision": "answer", "answer": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", 400, "invalid_json"),
        (b'{"token": "%s", "decision": "answer", "answer": NaN}', 400, "invalid_json"),
        (b'{"token": "%s", "decision": "answer", "answer": 1e999}', 422, "invalid_answer"),
        (b'{"token": "%s", "decision": "answer", "answer": "\\ud800"}', 422, "invalid_answer"),
        (b'{"token": "%s", "decision": "answer", "answer": {"\\u0000": 1}}', 422, "invalid_answer"),
        (b'{"token": "%s", "decision": "answer", "answer": 1, "comment": "\\u0000"}', 400, "invalid_request"),
        (b'{"token": "%s", "decision": "answer", "answer": 1, "comment": "' + b"x" * 2001 + b'"}', 400, "invalid_request"),
        (b'{"token": "%s", "decision": "answer", "answer": 1, "comment": 7}', 400, "invalid_request"),
        (b'{"token": "%s", "decision": ["answer"], "answer": 1}', 400, "invalid_request"),
        (b'{"token": "%s", "decision": "APPROVE"}', 400, "invalid_request"),
        (b'{"token": "%s"}', 400, "invalid_request"),
        (b'{"token": "%s", "decision": "answer", "answer": 1, "by": "the boss"}', 422, "unknown_field"),
        (b'{"token": 7, "decision": "answer"}', 400, "invalid_request"),
        (b'{"token": "\\u0000", "decision": "answer"}', 400, "invalid_request"),
        (b'{"token": "%s", "token": "%s"}', 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
    ],
)  # fmt: skip
def test_hostile_input_is_refused_and_decides_nothing(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, content: bytes, status: int, code: str
) -> None:
    wait = wants({})
    fake_worker.ask(run, wait)
    body = content.replace(b"%s", token_of(wait).encode())
    answer = anybody.post("/v1/runs/approval", content=body, headers={"content-type": "application/json"})
    assert refused(answer) == (status, code), answer.text
    assert kept(fake_worker, wait)["outcome"] is None
