"""Runs are found, paged and shown in the state that the law gives them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker

OMITTED = {"input", "result", "stepsFinished", "events"}


def enqueue(client: httpx.Client, **more: Any) -> str:
    made: str = client.post("/v1/runs", json={"agent": "refund", "input": INPUT, **more}).json()["runId"]
    return made


def found(client: httpx.Client, **where: Any) -> list[str]:
    answer = client.get("/v1/runs", params=where)
    assert answer.status_code == 200, answer.text
    return [run["runId"] for run in answer.json()["runs"]]


def test_an_executing_run_shows_its_step_and_its_attempts(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    fake_worker.step(fence, "fetch", '{"a": "ü"}')
    fake_worker.step(fence, "send", status="retrying", error='{"message": "no"}')
    with api.connect() as connection:
        connection.execute("UPDATE run SET step_in_flight = 'send##1' WHERE id = %s", [run])
    shown = acme.get(f"/v1/runs/{run}?includeOutputs=true&includeEvents=true").json()
    assert (shown["status"], shown["executing"], shown["stepInFlight"], shown["stepsTotal"]) == (
        "RUNNING",
        True,
        "send##1",
        1,
    )
    assert (shown["agentVersion"], shown["activations"], shown["readyAt"]) == ("1", 1, None)
    step = shown["stepsFinished"][0]
    assert (step["name"], step["status"], step["attempts"], step["output"]) == ("fetch", "succeeded", 1, {"a": "ü"})
    assert [event["event"] for event in shown["events"]] == ["status", "start", "step", "step"]
    assert shown["events"][3]["step"]["status"] == "retrying"
    fake_worker.succeed(fence)
    shown = acme.get(f"/v1/runs/{run}").json()
    assert (shown["executing"], shown["stepInFlight"], "output" in shown["stepsFinished"][0]) == (False, None, False)


def test_an_outcome_is_shown_with_the_run(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    won, lost = enqueue(acme), enqueue(acme)
    fake_worker.succeed(fake_worker.take(won), '{"answer": [1, null, "x"]}')
    fake_worker.fail(fake_worker.take(lost))
    shown = acme.get(f"/v1/runs/{won}").json()
    assert (shown["status"], shown["result"], shown["error"]) == ("SUCCESS", {"answer": [1, None, "x"]}, None)
    shown = acme.get(f"/v1/runs/{lost}").json()
    assert (shown["status"], shown["result"], shown["reason"]) == ("FAILED", None, "step_error")
    assert shown["error"] == {"code": "step_error", "type": "ValueError", "message": "no", "step": "s", "attempts": 1}


@pytest.mark.parametrize(
    "stored", ['"\\ud800"', "1e400", "[" * 3000 + "]" * 3000, '{ "a" :\n1 }', '"\\u0000"', "null"],
    ids=["half a pair", "huge", "deep", "white space", "NUL", "null"],
)  # fmt: skip
def test_whatever_json_an_agent_stored_is_shown_and_never_a_fault(
    acme: httpx.Client, fake_worker: FakeWorker, stored: str
) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    fake_worker.step(fence, "odd", stored)
    fake_worker.succeed(fence, stored)
    for path in ("?includeOutputs=true", "/steps?includeOutputs=true", "/sse", "/events"):
        answer = acme.get(f"/v1/runs/{run}{path}")
        assert answer.status_code == 200
        assert path == "/events" or stored.replace("\n", " ") in answer.text.replace("\n", " ")


def test_pages_hold_still_while_new_runs_arrive(acme: httpx.Client) -> None:
    mine = [enqueue(acme, tags=["paging"]) for _ in range(25)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 4, "tag": "paging"} | ({"cursor": cursor} if cursor else {})
        page = acme.get("/v1/runs", params=params).json()
        seen += [run["runId"] for run in page["runs"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        enqueue(acme, tags=["paging"])
    assert seen == mine[::-1]


def test_lists_leave_out_what_may_be_large_and_other_tenants_runs(acme: httpx.Client, other: httpx.Client) -> None:
    theirs = enqueue(other)
    listed = acme.get("/v1/runs", params={"limit": 200}).json()["runs"]
    assert theirs not in {run["runId"] for run in listed}
    whole = acme.get(f"/v1/runs/{listed[0]['runId']}").json()
    assert set(listed[0]) == set(whole) - OMITTED


def test_filters_narrow_the_list(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    ended = enqueue(acme, tags=["f", "x"], metadata={"a.b": "1", "c": "2"}, userId="u1")
    fake_worker.succeed(fake_worker.take(ended))
    waiting = enqueue(acme, tags=["f"], metadata={"a.b": "1"}, userId="u2")
    assert found(acme, tag="f") == [waiting, ended]
    assert found(acme, tag=["f", "x"]) == [ended]
    assert found(acme, tag="f", status="QUEUED") == [waiting]
    assert found(acme, tag="f", status=["QUEUED", "SUCCESS"]) == [waiting, ended]
    assert found(acme, tag="f", category="terminal") == [ended]
    assert found(acme, tag="f", category="processing") == [waiting]
    assert found(acme, tag="f", category="paused") == []
    assert found(acme, **{"metadata.a.b": "1", "metadata.c": "2"}) == [ended]
    assert found(acme, **{"metadata.a.b": "2"}) == []
    assert found(acme, tag="f", userId="u2") == [waiting]
    assert found(acme, tag="f", agent="refund", queue="default") == [waiting, ended]
    assert found(acme, tag="f", agent="echo") == []
    created = acme.get(f"/v1/runs/{waiting}").json()["createdAt"]
    assert found(acme, tag="f", createdBefore="2020-01-01T00:00:00Z") == []
    assert found(acme, tag="f", createdAfter="2020-01-01T00:00:00+02:00", createdBefore="9999-12-31T23:59:59Z") == [
        waiting,
        ended,
    ]
    assert ended not in found(acme, tag="f", createdAfter=created)


def test_steps_events_and_logs_are_paged_in_their_order(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    for n in range(230):
        fake_worker.step(fence, f"s{n}", str(n))
    fake_worker.log(fence, *(f"line {n}" for n in range(230)))
    shown = acme.get(f"/v1/runs/{run}").json()
    assert shown["stepsTotal"] == 230
    assert [step["name"] for step in shown["stepsFinished"]] == [f"s{n}" for n in range(30, 230)]
    for name, label in (("steps", "name"), ("logs", "message")):
        items: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = acme.get(f"/v1/runs/{run}/{name}", params={"limit": 100, **cursor}).json()
            items += [item[label] for item in page[name]]
            if page["nextCursor"] is None:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert items == [f"{'s' if name == 'steps' else 'line '}{n}" for n in range(230)]
    page = acme.get(f"/v1/runs/{run}/events", params={"afterSeq": 100, "limit": 50}).json()
    assert [event["seq"] for event in page["events"]] == list(range(101, 151))
    assert page["nextAfterSeq"] == 150
    assert acme.get(f"/v1/runs/{run}/events", params={"afterSeq": 231}).json()["nextAfterSeq"] is None


def test_a_parked_run_says_why_and_until_when(api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fake_worker.take(run)
    with api.connect() as connection:
        connection.execute(
            "UPDATE run SET status = 'PAUSED', pause_kind = 'approval', reason = 'approval_needed', lease_worker = NULL, "
            "ready_at = NULL WHERE id = %s",
            [run],
        )
        connection.execute(
            "INSERT INTO wait (id, run_id, tenant, key, kind, due_at, nonce) VALUES (gen_random_uuid(), %s, 'acme', 'k', "
            "'approval', '2030-01-01T00:00:00Z', 'n0nce')",
            [run],
        )
    answer = acme.get(f"/v1/runs/{run}")
    shown = answer.json()
    assert (shown["status"], shown["executionStatus"], shown["category"]) == (
        "PAUSED",
        "awaiting_confirmation",
        "awaiting",
    )
    assert shown["pause"]["kind"] == "approval"
    assert shown["pause"]["reason"] == "approval_needed"
    assert shown["pause"]["expiresAt"] == "2030-01-01T00:00:00.000Z"
    assert [wait["kind"] for wait in shown["pause"]["waits"]] == ["approval"]
    assert "n0nce" not in answer.text
    assert acme.get(f"/v1/runs/{run}/wait").status_code == 200
    assert found(acme, category="awaiting") == [run]


def test_capacity_counts_slots_leases_and_those_who_wait(api: ApiServer, acme: httpx.Client) -> None:
    with api.connect() as connection:
        fake_worker = FakeWorker(connection, queue="counted", slots=3)
    with api.connect() as connection:
        fake_worker.connection = connection
        runs = [enqueue(acme, queue="counted") for _ in range(4)]
        fake_worker.take(runs[0])
        assert counted(acme, queued=3) == {
            "queue": "counted", "workers": 1, "slots": 3, "limit": None, "inFlight": 1, "executing": 1, "queued": 3,
            "blocked": 0, "parked": 0, "paused": False, "cordoned": False, "window": None, "nextWindow": None,
        }  # fmt: skip
        worker = next(item for item in acme.get("/v1/workers").json()["workers"] if item["queue"] == "counted")
        assert (worker["leased"], worker["alive"], worker["consuming"], worker["draining"]) == (1, True, True, False)
        agent = next(item for item in acme.get("/v1/agents").json()["agents"] if item["name"] == "refund")
        assert (agent["queue"], agent["workers"], agent["slots"]) == ("counted", 1, 3)
        assert agent["inputSchema"]["required"] == ["order_id"]
        connection.execute("UPDATE worker SET draining = TRUE WHERE queue = 'counted'")
        connection.execute("UPDATE agent SET queue = 'default'")
        shown = counted(acme, workers=0)
        assert (shown["workers"], shown["slots"], shown["executing"]) == (0, 0, 1)


def counted(client: httpx.Client, **says: int) -> dict[str, Any]:
    """Poll until the reading is new: the last one is reused for a moment."""
    for _ in range(10_000):
        for queue in client.get("/v1/capacity").json()["queues"]:
            if queue["queue"] == "counted" and says.items() <= queue.items():
                shown: dict[str, Any] = queue
                return shown
    raise AssertionError(says)


def test_the_document_is_served_as_it_is_committed(acme: httpx.Client, api: ApiServer) -> None:
    with api.client(None) as nobody:
        served = nobody.get("/openapi.json").json()
    with open("docs/openapi.json") as file:  # noqa: PTH123  relative to the checkout, like the server
        assert served == json.load(file)
