"""People decide by a link: one decision wins, all others receive it, and nothing else decides."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.links.tokens import Purpose
from models.moves import NewWait
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.people import HOUR, JSON, SETTINGS, asks, decide, kept, refused, run_state, token_of, with_secret

pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


def test_whoever_holds_the_link_sees_what_is_asked_and_decides_once(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks(choices=["card", "voucher"])
    fake_worker.ask(run, wait)
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
    assert run_state(fake_worker, run) == ("RUNNING", "approved")
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
    api: ApiServer, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks(onDeny="return")
    fake_worker.ask(run, wait)
    with api.client(None) as client, ThreadPoolExecutor(100) as pool:
        calls = [pool.submit(decide, client, wait, "approve" if n % 2 else "deny", comment=str(n)) for n in range(100)]
        answers = [call.result() for call in calls]
    assert Counter(answer.status_code for answer in answers) == {200: 1, 410: 99}
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        assert answer.json()["outcome"] == won["outcome"]
        assert answer.json().get("code", "token_used") == "token_used"
    assert run_state(fake_worker, run)[0] == "RUNNING"
    sql = "SELECT count(*) AS n FROM event WHERE run_id = %s AND (type = 'run_action' OR verb = 'resume')"
    assert fake_worker.connection.execute(sql, [run]).fetchone() == {"n": 2}


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("decision", ["approve", "deny"])
@pytest.mark.parametrize(
    "accept",
    [BROWSER, "*/*", "", "application/*", "application/json;q=0", "text/html, application/json", "application/xml, */*",
     "application/jsonp", "application/json-seq"],
)  # fmt: skip
def test_a_get_that_does_not_ask_for_json_in_so_many_words_decides_nothing(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, accept: str, decision: str
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    where = {"token": token_of(wait), "decision": decision}
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        anybody.request(method, "/v1/runs/approval", params=where, headers={"accept": accept, "purpose": "prefetch"})
    anybody.head("/v1/runs/approval", params=where, headers=JSON)
    assert kept(fake_worker, wait)["outcome"] is None
    assert run_state(fake_worker, run) == ("PAUSED", "waiting")


@pytest.mark.parametrize(
    "accept", ["application/json", "Application/JSON; charset=utf-8", "application/json, */*;q=0.1"]
)
def test_a_get_that_asks_for_json_and_names_the_decision_decides(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str, accept: str
) -> None:
    wait = asks(choices=["card"])
    fake_worker.ask(run, wait)
    where = {"token": token_of(wait), "choice": "card", "comment": "ok"}
    assert anybody.get("/v1/runs/approval", params=where, headers={"accept": accept}).json()["outcome"] is None
    unknown = anybody.get("/v1/runs/approval", params={**where, "decision": "answer"}, headers={"accept": accept})
    assert refused(unknown) == (400, "invalid_request")
    answer = anybody.get("/v1/runs/approval", params={**where, "decision": "approve"}, headers={"accept": accept})
    assert (answer.status_code, answer.json()["outcome"]["choice"]) == (200, "card")
    assert run_state(fake_worker, run) == ("RUNNING", "approved")


def test_a_link_that_is_not_ours_is_unknown_whatever_is_wrong_with_it(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait, nobodys = asks(), asks()
    fake_worker.ask(run, wait)
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
            assert answer.headers["x-content-type-options"] == "nosniff"
    assert kept(fake_worker, wait)["outcome"] is None


def test_the_link_of_an_authorization_decides_no_approval(
    anybody: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = NewWait("authorize#1", "authorization", {"provider": "stripe"}, HOUR, "failed", nonce="b" * 32)
    fake_worker.ask(run, wait)
    for purpose in Purpose:
        answer = anybody.post("/v1/runs/approval", json={"token": token_of(wait, purpose), "decision": "approve"})
        assert refused(answer) == (404, "token_unknown")
    assert kept(fake_worker, wait)["outcome"] is None


def test_a_link_expires_by_the_clock_whether_or_not_somebody_has_looked_at_it(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks(due_ms=0)
    fake_worker.ask(run, wait)
    answer = decide(anybody, wait)
    assert refused(answer) == (410, "token_expired")
    assert (answer.json()["outcome"]["by"], answer.json()["outcome"]["outcome"]) == (None, "denied")
    assert (answer.json()["runId"], answer.json()["runStatus"]) == (run, "PAUSED")
    assert kept(fake_worker, wait)["outcome"] is None, "the scheduler's to say"
    fake_worker.connection.execute("UPDATE wait SET resolved_at = now(), outcome = 'denied' WHERE id = %s", [wait.id])
    assert refused(decide(anybody, wait, "deny")) == (410, "token_expired")
    assert refused(acme.post(f"/v1/approvals/{wait.id}", json={"decision": "deny"})) == (409, "wait_closed")


def test_the_end_of_a_run_withdraws_its_question(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    assert acme.delete(f"/v1/runs/{run}").json()["status"] == "CANCELED"
    answer = decide(anybody, wait)
    assert refused(answer) == (410, "token_used")
    assert (answer.json()["outcome"]["outcome"], answer.json()["runStatus"]) == ("withdrawn", "CANCELED")
    assert "ended as CANCELED" in answer.json()["detail"]


def test_a_decision_about_a_run_that_a_user_paused_is_kept_until_it_is_resumed(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    assert acme.post(f"/v1/runs/{run}/pause").status_code == 202
    assert decide(anybody, wait).json()["runStatus"] == "PAUSED"
    shown = acme.get(f"/v1/runs/{run}").json()
    assert (shown["status"], shown["pause"]["kind"], shown["pause"]["waits"]) == ("PAUSED", "user", [])
    assert refused(decide(anybody, wait, "deny")) == (410, "token_used")
    assert acme.post(f"/v1/runs/{run}/resume").json()["status"] == "RUNNING"


def test_a_denial_ends_a_run_at_once_also_when_a_user_wants_it_paused(
    anybody: httpx.Client, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    acme.post(f"/v1/runs/{run}/pause")
    assert decide(anybody, wait, "deny", comment="too dear").json()["runStatus"] == "CANCELED"
    assert run_state(fake_worker, run) == ("CANCELED", "denied")
