"""People decide by a link or with a key: one decision wins, everybody else is told which, and nothing else decides."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.people.tokens import Purpose
from models.moves import NewWait
from models.questions import start_question
from tests.system.api_server import ApiServer
from tests.system.hand import INPUT, Hand
from tests.system.people import HOUR, JSON, SETTINGS, asks, decide, refused, token_of, wants, with_secret

ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}},
    "required": ["street"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", autouse=True)
def _same_secret() -> Iterator[None]:
    with with_secret():
        yield


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture
def run(acme: httpx.Client) -> str:
    made: str = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    return made


@pytest.fixture
def anybody(api: ApiServer) -> Iterator[httpx.Client]:
    """Give a client without a key."""
    with api.client(None) as client:
        yield client


def stands(hand: Hand, run: str) -> tuple[str, str | None]:
    row = hand.connection.execute("SELECT status, reason FROM run WHERE id = %s", [run]).fetchone()
    assert row
    return row["status"], row["reason"]


def kept(hand: Hand, wait: NewWait) -> dict[str, Any]:
    sql = "SELECT outcome, answer::text AS answer, decided_by, comment FROM wait WHERE id = %s"
    row = hand.connection.execute(sql, [wait.id]).fetchone()
    assert row
    return dict(row)


# ---------------------------------------------------------------------------------------------------------- by a link
def test_whoever_holds_the_link_sees_what_is_asked_and_decides_once(
    anybody: httpx.Client, acme: httpx.Client, hand: Hand, run: str
) -> None:
    wait = asks(choices=["card", "voucher"])
    hand.ask(run, wait)
    seen = anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON)
    assert seen.status_code == 200
    assert {name: seen.json()[name] for name in ("waitId", "runId", "agent", "prompt", "details", "choices")} == {
        "waitId": str(wait.id), "runId": run, "agent": "refund", "prompt": "Refund A7?", "details": {"amount": 12.5},
        "choices": ["card", "voucher"],
    }  # fmt: skip
    assert (seen.json()["outcome"], seen.json()["digest"], seen.json()["runStatus"]) == (None, wait.digest, "PAUSED")

    answer = decide(anybody, wait, choice="voucher", comment=" fine ")
    assert answer.status_code == 200
    assert answer.json()["outcome"] == {
        "outcome": "approved", "choice": "voucher", "answer": None, "by": "link", "comment": "fine",
        "at": answer.json()["outcome"]["at"],
    }  # fmt: skip
    assert stands(hand, run) == ("RUNNING", "approved")
    events = acme.get(f"/v1/runs/{run}/events").json()["events"]
    decided = next(event for event in events if event["event"] == "run_action")
    assert {name: decided[name] for name in ("waitId", "decision", "choice", "by", "comment", "digest")} == {
        "waitId": str(wait.id), "decision": "approve", "choice": "voucher", "by": "link", "comment": "fine",
        "digest": wait.digest,
    }  # fmt: skip

    again = decide(anybody, wait, "deny")
    assert refused(again) == (410, "token_used")
    assert again.json()["outcome"]["choice"] == "voucher"
    assert again.json()["outcome"]["at"] == answer.json()["outcome"]["at"]
    assert (
        anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON).json()["outcome"]["by"]
        == "link"
    )


def test_of_a_hundred_decisions_at_once_exactly_one_wins_and_the_others_are_told(
    api: ApiServer, hand: Hand, run: str
) -> None:
    wait = asks(onDeny="return")
    hand.ask(run, wait)
    with api.client(None) as client, ThreadPoolExecutor(100) as pool:
        calls = [pool.submit(decide, client, wait, "approve" if n % 2 else "deny", comment=str(n)) for n in range(100)]
        answers = [call.result() for call in calls]
    assert Counter(answer.status_code for answer in answers) == {200: 1, 410: 99}
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        assert answer.json()["outcome"] == won["outcome"]
        assert answer.json().get("code", "token_used") == "token_used"
    assert stands(hand, run)[0] == "RUNNING"
    sql = "SELECT count(*) AS n FROM event WHERE run_id = %s AND (type = 'run_action' OR verb = 'resume')"
    assert hand.connection.execute(sql, [run]).fetchone() == {"n": 2}


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("decision", ["approve", "deny"])
@pytest.mark.parametrize(
    "accept",
    [BROWSER, "*/*", "", "application/*", "application/json;q=0", "text/html, application/json", "application/xml, */*",
     "application/jsonp", "application/json-seq"],
)  # fmt: skip
def test_a_get_that_does_not_ask_for_json_in_so_many_words_decides_nothing(
    anybody: httpx.Client, hand: Hand, run: str, accept: str, decision: str
) -> None:
    wait = asks()
    hand.ask(run, wait)
    where = {"token": token_of(wait), "decision": decision}
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        anybody.request(method, "/v1/runs/approval", params=where, headers={"accept": accept, "purpose": "prefetch"})
    anybody.head("/v1/runs/approval", params=where, headers=JSON)
    assert kept(hand, wait)["outcome"] is None
    assert stands(hand, run) == ("PAUSED", "waiting")


@pytest.mark.parametrize(
    "accept", ["application/json", "Application/JSON; charset=utf-8", "application/json, */*;q=0.1"]
)
def test_a_get_that_asks_for_json_and_names_the_decision_decides(
    anybody: httpx.Client, hand: Hand, run: str, accept: str
) -> None:
    wait = asks(choices=["card"])
    hand.ask(run, wait)
    where = {"token": token_of(wait), "choice": "card", "comment": "ok"}
    assert anybody.get("/v1/runs/approval", params=where, headers={"accept": accept}).json()["outcome"] is None
    unknown = anybody.get("/v1/runs/approval", params={**where, "decision": "answer"}, headers={"accept": accept})
    assert refused(unknown) == (400, "invalid_request")
    answer = anybody.get("/v1/runs/approval", params={**where, "decision": "approve"}, headers={"accept": accept})
    assert (answer.status_code, answer.json()["outcome"]["choice"]) == (200, "card")
    assert stands(hand, run) == ("RUNNING", "approved")


def test_a_link_that_is_not_ours_is_unknown_whatever_is_wrong_with_it(
    anybody: httpx.Client, hand: Hand, run: str
) -> None:
    wait, nobodys = asks(), asks()
    hand.ask(run, wait)
    good = token_of(wait)
    with with_secret("a key of some other installation"):
        foreign = token_of(wait)
    head, _, tail = good.partition(".")
    other_head = token_of(nobodys).partition(".")[0]
    bad = [token_of(nobodys), token_of(wait, Purpose.AUTHORIZATION), foreign, good[:-1], good + "A", head, f"{other_head}.{tail}",
           f"{head}.", "", ".", "x" * 5000, good.swapcase(), "\N{SNOWMAN}"]  # fmt: skip
    for text in bad:
        answers = [
            anybody.post("/v1/runs/approval", json={"token": text, "decision": "approve"}),
            anybody.get("/v1/runs/approval", params={"token": text, "decision": "approve"}, headers=JSON),
        ]
        for answer in answers:
            assert refused(answer) == (404, "token_unknown"), text
            assert answer.json()["detail"] == answers[0].json()["detail"]
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
    assert kept(hand, wait)["outcome"] is None


def test_the_link_of_an_authorization_decides_no_approval(anybody: httpx.Client, hand: Hand, run: str) -> None:
    wait = NewWait("authorize#1", "authorization", {"provider": "stripe"}, HOUR, "failed", nonce="b" * 32)
    hand.ask(run, wait)
    for purpose in Purpose:
        answer = anybody.post("/v1/runs/approval", json={"token": token_of(wait, purpose), "decision": "approve"})
        assert refused(answer) == (404, "token_unknown")
    assert kept(hand, wait)["outcome"] is None


def test_a_link_expires_by_the_clock_whether_or_not_somebody_has_looked_at_it(
    anybody: httpx.Client, acme: httpx.Client, hand: Hand, run: str
) -> None:
    wait = asks(due_ms=0)
    hand.ask(run, wait)
    answer = decide(anybody, wait)
    assert refused(answer) == (410, "token_expired")
    assert (answer.json()["outcome"]["by"], answer.json()["outcome"]["outcome"]) == (None, "denied")
    assert (answer.json()["runId"], answer.json()["runStatus"]) == (run, "PAUSED")
    assert kept(hand, wait)["outcome"] is None, "the scheduler's to say"
    hand.connection.execute("UPDATE wait SET resolved_at = now(), outcome = 'denied' WHERE id = %s", [wait.id])
    assert refused(decide(anybody, wait, "deny")) == (410, "token_expired")
    assert refused(acme.post(f"/v1/approvals/{wait.id}", json={"decision": "deny"})) == (409, "wait_closed")


def test_the_end_of_a_run_withdraws_its_question(
    anybody: httpx.Client, acme: httpx.Client, hand: Hand, run: str
) -> None:
    wait = asks()
    hand.ask(run, wait)
    assert acme.delete(f"/v1/runs/{run}").json()["status"] == "CANCELED"
    answer = decide(anybody, wait)
    assert refused(answer) == (410, "token_used")
    assert (answer.json()["outcome"]["outcome"], answer.json()["runStatus"]) == ("withdrawn", "CANCELED")
    assert "ended as CANCELED" in answer.json()["detail"]


def test_a_decision_about_a_run_that_a_user_paused_is_kept_until_it_is_resumed(
    anybody: httpx.Client, acme: httpx.Client, hand: Hand, run: str
) -> None:
    wait = asks()
    hand.ask(run, wait)
    assert acme.post(f"/v1/runs/{run}/pause").status_code == 202
    assert decide(anybody, wait).json()["runStatus"] == "PAUSED"
    shown = acme.get(f"/v1/runs/{run}").json()
    assert (shown["status"], shown["pause"]["kind"], shown["pause"]["waits"]) == ("PAUSED", "user", [])
    assert refused(decide(anybody, wait, "deny")) == (410, "token_used")
    assert acme.post(f"/v1/runs/{run}/resume").json()["status"] == "RUNNING"


def test_a_denial_ends_a_run_at_once_also_when_a_user_wants_it_paused(
    anybody: httpx.Client, acme: httpx.Client, hand: Hand, run: str
) -> None:
    wait = asks()
    hand.ask(run, wait)
    acme.post(f"/v1/runs/{run}/pause")
    assert decide(anybody, wait, "deny", comment="too dear").json()["runStatus"] == "CANCELED"
    assert stands(hand, run) == ("CANCELED", "denied")


# ------------------------------------------------------------------------------------------------ what fits a question
@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"decision": "approve"}, "choice", "one of: card, voucher"),
        ({"decision": "approve", "choice": "cash"}, "choice", "one of: card, voucher"),
        ({"decision": "deny", "choice": "card"}, "choice", "a denial has none"),
        ({"decision": "answer", "answer": 1}, "decision", "approved or denied"),
        ({"decision": "approve", "choice": "card", "answer": 1}, "answer", "approved or denied"),
    ],
)
def test_a_decision_that_does_not_fit_an_approval_is_refused_in_words(
    anybody: httpx.Client, hand: Hand, run: str, body: dict[str, Any], field: str, said: str
) -> None:
    wait = asks(choices=["card", "voucher"])
    hand.ask(run, wait)
    answer = decide(anybody, wait, **body)
    assert refused(answer) == (422, "invalid_answer")
    assert answer.json()["errors"][0]["field"] == field
    assert said in answer.json()["detail"]
    assert kept(hand, wait)["outcome"] is None


def test_a_choice_is_refused_where_there_are_none(anybody: httpx.Client, hand: Hand, run: str) -> None:
    wait = asks()
    hand.ask(run, wait)
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
    anybody: httpx.Client, hand: Hand, run: str, body: dict[str, Any], field: str
) -> None:
    wait = wants(ADDRESS)
    hand.ask(run, wait)
    answer = decide(anybody, wait, **body)
    assert refused(answer) == (422, "invalid_answer")
    assert answer.json()["errors"][0]["field"] == field
    assert stands(hand, run)[0] == "PAUSED"
    assert kept(hand, wait)["outcome"] is None


def test_an_answer_that_fits_is_given_to_the_run(anybody: httpx.Client, hand: Hand, run: str) -> None:
    wait = wants(ADDRESS)
    hand.ask(run, wait)
    answer = decide(anybody, wait, "answer", answer={"street": "Élm \N{SNOWMAN}", "number": 7})
    assert answer.json()["outcome"]["answer"] == {"street": "Élm \N{SNOWMAN}", "number": 7}
    assert json.loads(kept(hand, wait)["answer"]) == {"answer": {"street": "Élm \N{SNOWMAN}", "number": 7}}
    assert stands(hand, run) == ("RUNNING", "answered")


def test_null_is_an_answer_where_the_schema_takes_it(anybody: httpx.Client, hand: Hand, run: str) -> None:
    wait = wants({"anyOf": [{"type": "string"}, {"type": "null"}]})
    hand.ask(run, wait)
    assert decide(anybody, wait, "answer", answer=None).status_code == 200
    assert json.loads(kept(hand, wait)["answer"]) == {"answer": None}


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
    anybody: httpx.Client, hand: Hand, run: str, content: bytes, status: int, code: str
) -> None:
    wait = wants({})
    hand.ask(run, wait)
    body = content.replace(b"%s", token_of(wait).encode())
    answer = anybody.post("/v1/runs/approval", content=body, headers={"content-type": "application/json"})
    assert refused(answer) == (status, code), answer.text
    assert kept(hand, wait)["outcome"] is None


# --------------------------------------------------------------------------------------------------------- with a key
def test_a_key_decides_in_its_own_name(acme: httpx.Client, hand: Hand, run: str) -> None:
    wait = asks()
    hand.ask(run, wait)
    answer = acme.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    assert (answer.status_code, answer.json()["outcome"]["by"]) == (200, "test")
    again = acme.post(f"/v1/approvals/{wait.id}", json={"decision": "deny"})
    assert refused(again) == (409, "wait_closed")
    assert (again.json()["outcome"]["outcome"], again.json()["outcome"]["by"]) == ("approved", "test")


def test_where_approvers_are_named_a_key_needs_one_of_the_roles(api: ApiServer, hand: Hand, run: str) -> None:
    wait = asks(approvers=["finance", "boss"])
    hand.ask(run, wait)
    for scopes, roles in ((("decide",), ()), (("decide",), ("sales",)), (("read", "enqueue"), ("finance",))):
        with api.client(api.key(scopes=scopes, roles=roles)) as client:
            answer = client.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
            assert refused(answer) == (403, "forbidden")
    assert kept(hand, wait)["outcome"] is None
    with api.client(api.key(scopes=("decide",), roles=("boss",), name="ann")) as client:
        answer = client.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    assert (answer.status_code, answer.json()["outcome"]["by"]) == (200, "ann")


def test_another_tenants_question_does_not_exist(other: httpx.Client, hand: Hand, run: str) -> None:
    wait = asks(approvers=["finance"])
    hand.ask(run, wait)
    foreign = other.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    nobodys = other.post(f"/v1/approvals/{asks().id}", json={"decision": "approve"})
    assert refused(foreign) == refused(nobodys) == (404, "not_found")
    assert foreign.json() == nobodys.json()
    assert other.get("/v1/approvals").json() == {"approvals": [], "nextCursor": None}


@pytest.mark.parametrize("wait", ["nonsense", "0", str(UUID(int=7)).replace("-", "")])
def test_an_id_that_is_none_is_not_found(acme: httpx.Client, wait: str) -> None:
    assert refused(acme.post(f"/v1/approvals/{wait}", json={"decision": "approve"})) == (404, "not_found")


def test_only_questions_are_decided_in_the_inbox(acme: httpx.Client, hand: Hand, run: str) -> None:
    wait = NewWait("sleep#1", "timer", {}, HOUR, "elapsed")
    hand.ask(run, wait)
    assert refused(acme.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})) == (404, "not_found")


def test_the_inbox_lists_what_is_open_and_what_is_over_newest_first_and_by_pages(api: ApiServer, hand: Hand) -> None:
    with api.client(api.key("inbox")) as client:
        waits = [asks(prompt=f"Number {n}?") for n in range(5)]
        for wait in waits:
            hand.ask(client.post("/v1/runs", json={"agent": "echo"}).json()["runId"], wait)
        client.post(f"/v1/approvals/{waits[3].id}", json={"decision": "approve", "comment": "yes"})
        seen: list[str] = []
        page: dict[str, Any] = {"nextCursor": None}
        while page["nextCursor"] is not None or not seen:
            where = {"limit": 2} | ({"cursor": page["nextCursor"]} if page["nextCursor"] else {})
            page = client.get("/v1/approvals", params=where).json()
            seen += [item["prompt"] for item in page["approvals"]]
        assert seen == ["Number 4?", "Number 2?", "Number 1?", "Number 0?"]
        [decided] = client.get("/v1/approvals", params={"status": "decided"}).json()["approvals"]
        assert (decided["waitId"], decided["outcome"]["by"], decided["outcome"]["comment"]) == (
            str(waits[3].id),
            "test",
            "yes",
        )
        cursor = client.get("/v1/approvals", params={"limit": 1}).json()["nextCursor"]
        wrong = client.get("/v1/approvals", params={"cursor": cursor, "status": "decided"})
        assert refused(wrong) == (400, "invalid_cursor")
        assert refused(client.get("/v1/approvals", params={"status": "all"})) == (400, "invalid_request")


def test_a_run_that_asks_whether_it_may_begin_shows_its_agent_and_input(
    acme: httpx.Client, anybody: httpx.Client, hand: Hand, run: str
) -> None:
    wait = start_question("refund", json.dumps(INPUT))
    hand.ask(run, wait)
    [item] = [item for item in acme.get("/v1/approvals").json()["approvals"] if item["runId"] == run]
    by_link = anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON).json()
    for seen in (item, by_link):
        assert (seen["prompt"], seen["details"]) == ("Start refund?", {"agent": "refund", "input": INPUT})


def test_a_key_without_the_scope_has_no_inbox(api: ApiServer, hand: Hand) -> None:
    with api.client(api.key(scopes=("read", "enqueue", "admin"))) as client:
        assert refused(client.get("/v1/approvals")) == (403, "forbidden")


def test_a_long_input_is_left_out_of_the_inbox_but_not_of_the_question(
    api: ApiServer, anybody: httpx.Client, hand: Hand
) -> None:
    with api.client(api.key("long")) as client:
        given = {"text": "x" * 70_000}
        run = client.post("/v1/runs", json={"agent": "echo", "input": given}).json()["runId"]
        wait = start_question("echo", json.dumps(given))
        hand.ask(run, wait)
        [item] = client.get("/v1/approvals").json()["approvals"]
        assert (item["details"], item["inputOmitted"]) == ({"agent": "echo"}, True)
        seen = anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON).json()
        assert (seen["details"]["input"], "inputOmitted" in seen) == (given, False)
