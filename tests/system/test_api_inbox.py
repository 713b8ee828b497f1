"""Keys list and decide the questions of their tenant, in their own name and within their scopes and roles."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from models.moves import NewWait
from models.waiting.questions import start_question
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import HOUR, JSON, SETTINGS, asks, kept, refused, token_of

pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


def test_a_key_decides_in_its_own_name(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = asks()
    fake_worker.ask(run, wait)
    answer = acme.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    assert (answer.status_code, answer.json()["outcome"]["by"]) == (200, "test")
    again = acme.post(f"/v1/approvals/{wait.id}", json={"decision": "deny"})
    assert refused(again) == (409, "wait_closed")
    assert (again.json()["outcome"]["outcome"], again.json()["outcome"]["by"]) == ("approved", "test")


def test_where_approvers_are_named_a_key_needs_one_of_the_roles(
    api: ApiServer, fake_worker: FakeWorker, run: str
) -> None:
    wait = asks(approvers=["finance", "boss"])
    fake_worker.ask(run, wait)
    for scopes, roles in ((("decide",), ()), (("decide",), ("sales",)), (("read", "enqueue"), ("finance",))):
        with api.client(api.key(scopes=scopes, roles=roles)) as client:
            answer = client.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
            assert refused(answer) == (403, "forbidden")
    assert kept(fake_worker, wait)["outcome"] is None
    with api.client(api.key(scopes=("decide",), roles=("boss",), name="ann")) as client:
        answer = client.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    assert (answer.status_code, answer.json()["outcome"]["by"]) == (200, "ann")


def test_another_tenants_question_does_not_exist(other: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = asks(approvers=["finance"])
    fake_worker.ask(run, wait)
    foreign = other.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})
    nobodys = other.post(f"/v1/approvals/{asks().id}", json={"decision": "approve"})
    assert refused(foreign) == refused(nobodys) == (404, "not_found")
    assert foreign.json() == nobodys.json()
    assert other.get("/v1/approvals").json() == {"approvals": [], "nextCursor": None}


@pytest.mark.parametrize("wait", ["nonsense", "0", str(UUID(int=7)).replace("-", "")])
def test_an_id_that_is_none_is_not_found(acme: httpx.Client, wait: str) -> None:
    assert refused(acme.post(f"/v1/approvals/{wait}", json={"decision": "approve"})) == (404, "not_found")


def test_only_questions_are_decided_in_the_inbox(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    wait = NewWait("sleep#1", "timer", {}, HOUR, "elapsed")
    fake_worker.ask(run, wait)
    assert refused(acme.post(f"/v1/approvals/{wait.id}", json={"decision": "approve"})) == (404, "not_found")


def test_the_inbox_lists_what_is_open_and_what_is_over_newest_first_and_by_pages(
    api: ApiServer, fake_worker: FakeWorker
) -> None:
    with api.client(api.key("inbox")) as client:
        waits = [asks(prompt=f"Number {n}?") for n in range(5)]
        for wait in waits:
            fake_worker.ask(client.post("/v1/runs", json={"agent": "echo"}).json()["runId"], wait)
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
    acme: httpx.Client, anybody: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    wait = start_question("refund", json.dumps(INPUT))
    fake_worker.ask(run, wait)
    [item] = [item for item in acme.get("/v1/approvals").json()["approvals"] if item["runId"] == run]
    by_link = anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON).json()
    for seen in (item, by_link):
        assert (seen["prompt"], seen["details"]) == ("Start refund?", {"agent": "refund", "input": INPUT})


def test_a_key_without_the_scope_has_no_inbox(api: ApiServer, fake_worker: FakeWorker) -> None:
    with api.client(api.key(scopes=("read", "enqueue", "admin"))) as client:
        assert refused(client.get("/v1/approvals")) == (403, "forbidden")


def test_a_long_input_is_left_out_of_the_inbox_but_not_of_the_question(
    api: ApiServer, anybody: httpx.Client, fake_worker: FakeWorker
) -> None:
    with api.client(api.key("long")) as client:
        given = {"text": "x" * 70_000}
        run = client.post("/v1/runs", json={"agent": "echo", "input": given}).json()["runId"]
        wait = start_question("echo", json.dumps(given))
        fake_worker.ask(run, wait)
        [item] = client.get("/v1/approvals").json()["approvals"]
        assert (item["details"], item["inputOmitted"]) == ({"agent": "echo"}, True)
        seen = anybody.get("/v1/runs/approval", params={"token": token_of(wait)}, headers=JSON).json()
        assert (seen["details"]["input"], "inputOmitted" in seen) == (given, False)
