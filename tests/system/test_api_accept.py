"""An accepted run is stored completely, once, and shown as it was requested."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT

GOOD: dict[str, Any] = {"agent": "refund", "input": INPUT}
MEMBERS = {
    "runId", "status", "executionStatus", "category", "executing", "agent", "agentVersion", "input", "result", "error",
    "reason", "pause", "openWaits",
    "stepsFinished", "stepsTotal", "stepInFlight", "controlRequest", "queue", "priority", "window",
    "concurrencyKey", "onConflict", "notBefore", "expiresAt", "userId", "metadata", "tags",
    "activations", "crashes", "losses", "activeMs", "parentRunId", "retryOf",
    "continuedAs", "createdAt", "readyAt", "promotedAt", "startedAt", "finishedAt", "updatedAt",
}  # fmt: skip


def test_an_accepted_run_is_shown_with_every_member(acme: httpx.Client) -> None:
    asked = {
        **GOOD,
        "userId": "ünï😀",
        "priority": -5,
        "metadata": {"team": "ä"},
        "tags": ["b", "a", "b"],
        "timeout": "PT2M",
    }
    answer = acme.post("/v1/runs", json=asked)
    assert answer.status_code == 201, answer.text
    assert "idempotency-replayed" not in answer.headers
    run = answer.json()
    assert set(run) == MEMBERS
    assert {name: run[name] for name in ("input", "userId", "priority", "metadata", "queue", "agent")} == {
        "input": INPUT, "userId": "ünï😀", "priority": -5, "metadata": {"team": "ä"}, "queue": "default", "agent": "refund",
    }  # fmt: skip
    assert (run["status"], run["executionStatus"], run["category"], run["executing"]) == (
        "QUEUED", "starting", "processing", False,
    )  # fmt: skip
    assert sorted(run["tags"]) == ["a", "b"]
    assert acme.get(f"/v1/runs/{run['runId']}").json() == run


@pytest.mark.parametrize(("timeout", "stored"), [(None, 3_600_000), (90, 90_000), (0.25, 250), ("PT1H30M", 5_400_000)])
def test_the_timeout_is_seconds_or_iso_and_one_hour_by_default(
    api: ApiServer, acme: httpx.Client, timeout: Any, stored: int
) -> None:
    run = acme.post("/v1/runs", json={**GOOD, "timeout": timeout}).json()["runId"]
    with api.connect() as connection:
        row = connection.execute("SELECT timeout_ms FROM run WHERE id = %s", [run]).fetchone()
    assert row == {"timeout_ms": stored}


def test_input_comes_back_as_it_went_in(acme: httpx.Client) -> None:
    strange = {"a": [1, 1.5, -0.0, 10**30, True, None, "ä😀\u2028\u0001\\u0000"], "": {"deep": [[[[{}]]]]}}
    run = acme.post("/v1/runs", json={"agent": "echo", "input": strange}).json()
    assert run["input"] == strange
    assert acme.get(f"/v1/runs/{run['runId']}").json()["input"] == strange


def test_what_is_answered_is_what_was_stored(acme: httpx.Client) -> None:
    """The answer is not read from the tables; it still shows the same as they do."""
    body = {
        **GOOD,
        "priority": -3,
        "timeout": "PT7S",
        "userId": "ann",
        "tags": ["b", "a", "b"],
        "metadata": {"z": "1", "a": "2"},
    }
    plain = acme.post("/v1/runs", json=GOOD).json()
    full = acme.post("/v1/runs", json=body).json()
    batch = acme.post("/v1/runs/batch", json={"runs": [body, GOOD]}).json()["runs"]

    for shown in (plain, full):
        assert shown == acme.get(f"/v1/runs/{shown['runId']}").json()
    for shown in batch:
        stored = acme.get(f"/v1/runs/{shown['runId']}").json()
        assert shown == {name: stored[name] for name in shown}
        assert stored.keys() - shown.keys() == {"input", "result", "stepsFinished"}


def test_an_equal_request_is_answered_with_the_same_run(api: ApiServer, acme: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    first = acme.post("/v1/runs", content=b'{"agent":"refund","input":{"order_id":"1","amount":2}}', headers=key | JSON)
    before = api.rows()
    # Equal means equal in meaning: neither white space nor the order of names matters.
    again = acme.post(
        "/v1/runs", content=b'{ "input": {"amount": 2, "order_id": "1"}, "agent":"refund" }', headers=key | JSON
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert api.rows() == before


JSON = {"content-type": "application/json"}


def test_another_body_under_the_same_key_is_refused(api: ApiServer, acme: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    acme.post("/v1/runs", json=GOOD, headers=key)
    before = api.rows()
    for path, body in (("/v1/runs", {**GOOD, "priority": 1}), ("/v1/runs/batch", {"runs": [GOOD]})):
        answer = acme.post(path, json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")
    assert api.rows() == before


def test_a_key_belongs_to_its_tenant(acme: httpx.Client, other: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    mine = acme.post("/v1/runs", json=GOOD, headers=key)
    theirs = other.post("/v1/runs", json={**GOOD, "priority": 3}, headers=key)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["runId"] != theirs.json()["runId"]


def test_a_refused_request_does_not_use_up_its_key(acme: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    assert acme.post("/v1/runs", json={"agent": "nobody"}, headers=key).status_code == 422
    assert acme.post("/v1/runs", json=GOOD, headers=key).status_code == 201


def test_a_key_is_forgotten_after_seven_days(api: ApiServer, acme: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    first = acme.post("/v1/runs", json=GOOD, headers=key).json()["runId"]
    with api.connect() as connection:
        connection.execute(
            "UPDATE idempotency SET created_at = now() - interval '7 days 1 s' WHERE key = %s", [key["idempotency-key"]]
        )
    later = acme.post("/v1/runs", json={**GOOD, "priority": 1}, headers=key)
    assert later.status_code == 201
    assert later.json()["runId"] != first


def test_twenty_equal_requests_at_once_make_one_run(api: ApiServer, acme: httpx.Client) -> None:
    before = api.rows()
    key = {"idempotency-key": str(uuid.uuid4()), "x-api-key": acme.headers["x-api-key"]}

    def send(_n: int) -> httpx.Response:
        with api.client(None) as client:
            return client.post("/v1/runs", json=GOOD, headers=key)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["runId"] for answer in answers}) == 1
    assert api.rows()["run"] == before["run"] + 1
    assert api.rows()["event"] == before["event"] + 1


def test_a_batch_is_answered_in_its_order_and_replayed_whole(api: ApiServer, acme: httpx.Client) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"runs": [{**GOOD, "priority": n % 7, "metadata": {"n": str(n)}} for n in range(250)]}
    first = acme.post("/v1/runs/batch", json=body, headers=key)
    assert first.status_code == 201, first.text
    assert [run["metadata"]["n"] for run in first.json()["runs"]] == [str(n) for n in range(250)]
    before = api.rows()
    again = acme.post("/v1/runs/batch", json=body, headers=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert api.rows() == before


def test_a_batch_with_one_bad_run_stores_none(api: ApiServer, acme: httpx.Client) -> None:
    before = api.rows()
    body = {"runs": [*[GOOD] * 50, {"agent": "refund", "input": {"order_id": 1}}, *[GOOD] * 50]}
    answer = acme.post("/v1/runs/batch", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "runs[50].input.order_id"
    assert api.rows() == before


def test_a_full_batch_over_two_queues_is_accepted(api: ApiServer, acme: httpx.Client) -> None:
    with api.connect() as connection:
        connection.execute("INSERT INTO queue (name) VALUES ('second') ON CONFLICT DO NOTHING")
    body = {"runs": [{**GOOD, "queue": ("default", "second")[n % 2]} for n in range(1000)]}
    answer = acme.post("/v1/runs/batch", json=body)
    assert answer.status_code == 201
    assert {run["queue"] for run in answer.json()["runs"][::2]} == {"default"}
    assert {run["queue"] for run in answer.json()["runs"][1::2]} == {"second"}


def test_an_agent_stays_known_when_its_workers_leave(api: ApiServer, acme: httpx.Client) -> None:
    with api.connect() as connection:
        connection.execute("UPDATE worker SET draining = TRUE")
        assert acme.post("/v1/runs", json=GOOD).status_code == 201
        connection.execute("UPDATE worker SET draining = FALSE")


def test_an_agents_own_timeout_and_queue_are_the_defaults(api: ApiServer, acme: httpx.Client) -> None:
    with api.connect() as connection:
        connection.execute("INSERT INTO queue (name) VALUES ('slow') ON CONFLICT DO NOTHING")
        connection.execute(
            "INSERT INTO agent (name, queue, version, input_schema, timeout_ms) VALUES ('sleepy', 'slow', '1', '{}', 7000)"
        )
        run = acme.post("/v1/runs", json={"agent": "sleepy"}).json()
        row = connection.execute("SELECT timeout_ms FROM run WHERE id = %s", [run["runId"]]).fetchone()
    assert run["queue"] == "slow"
    assert row == {"timeout_ms": 7000}
