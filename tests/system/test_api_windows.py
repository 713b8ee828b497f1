"""Windows by HTTP: created, shown, overridden and deleted; a fault is reported with the name of its field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker

NIGHT = {"cron": "0 22 * * 1-5", "duration": "PT8H", "timezone": "Europe/Berlin"}
ALWAYS = {"cron": "* * * * *", "duration": 120, "timezone": "UTC"}


@pytest.fixture
def night(acme: httpx.Client) -> str:
    assert acme.put("/v1/windows/night", json=NIGHT).status_code == 200
    return "/v1/windows/night"


def soon(**distance: float) -> str:
    return (datetime.now(UTC) + timedelta(**distance)).isoformat()


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["code"]) == (status, code), document
    return document


def test_a_window_is_shown_with_its_next_periods(acme: httpx.Client, night: str) -> None:
    shown = acme.get(night, params={"next": 3}).json()
    assert {name: shown[name] for name in NIGHT} == NIGHT
    assert (shown["kind"], shown["onClose"], shown["override"]) == ("window", "finish", None)
    assert len(shown["next"]) == 3
    for period in shown["next"]:
        begins, ends = (datetime.fromisoformat(period[end]) for end in ("begins", "ends"))
        assert ends - begins == timedelta(hours=8)
        assert begins.weekday() < 5
    first = shown["next"][0]
    assert shown["until"] == (first["ends"] if shown["open"] else first["begins"])
    assert [window["name"] for window in acme.get("/v1/windows").json()["windows"]] == ["night"]


def test_putting_again_replaces_it_and_keeps_who_did_what(acme: httpx.Client, night: str) -> None:
    shown = acme.put(night, json={**NIGHT, "duration": 3600, "kind": "blackout", "onClose": "pause"}).json()
    assert (shown["duration"], shown["kind"], shown["onClose"]) == ("PT1H", "blackout", "pause")
    assert [(change["change"], change["by"]) for change in shown["changes"][:2]] == [("put", "test"), ("put", "test")]
    assert shown["changes"][0]["data"]["duration_ms"] == 3_600_000


@pytest.mark.parametrize(
    ("wrong", "field", "why"),
    [
        ({"cron": "0 22 * *"}, "cron", "five fields"),
        ({"cron": "0 22 * * 8-9"}, "cron", "bad day-of-week"),
        ({"cron": "0 0 30 2 *"}, "cron", "bad day-of-month"),
        ({"cron": "\0 * * * *"}, "cron", "NUL"),
        ({"cron": None}, "cron", "must be"),
        ({"timezone": "Europe/Berln"}, "timezone", "did you mean Europe/Berlin?"),
        ({"timezone": "CEST"}, "timezone", "IANA"),
        ({"duration": 0}, "duration", "longer than zero"),
        ({"duration": "P8D"}, "duration", "7 days at most"),
        ({"duration": "8 hours"}, "duration", "ISO 8601"),
        ({"kind": "door"}, "kind", "must be"),
        ({"onClose": "explode"}, "onClose", "must be"),
    ],
)
def test_what_is_wrong_with_a_window_is_named(acme: httpx.Client, wrong: dict[str, Any], field: str, why: str) -> None:
    document = refused(acme.put("/v1/windows/wrong", json={**NIGHT, **wrong}), 400, "invalid_request")
    [error] = document["errors"]
    assert error["field"] == field
    assert why in error["detail"]
    refused(acme.get("/v1/windows/wrong"), 404, "not_found")


@pytest.mark.parametrize("missing", ["cron", "duration", "timezone"])
def test_a_window_needs_its_three_fields(acme: httpx.Client, missing: str) -> None:
    body = {name: value for name, value in NIGHT.items() if name != missing}
    document = refused(acme.put("/v1/windows/wrong", json=body), 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [missing]


@pytest.mark.parametrize("name", ["a b", "-x", "n" * 101, "%C3%A4"])
def test_a_name_that_is_none_is_refused(acme: httpx.Client, name: str) -> None:
    refused(acme.put(f"/v1/windows/{name}", json=NIGHT), 400, "invalid_request")


@pytest.mark.parametrize("name", ["n" * 201, "%07", "%2E%2E"])
def test_a_queue_s_name_that_is_none_is_refused(acme: httpx.Client, name: str) -> None:
    refused(acme.put(f"/v1/queues/{name}", json={}), 400, "invalid_request")


def test_an_override_holds_with_its_author_and_ends(acme: httpx.Client, api: ApiServer, night: str) -> None:
    with api.client(api.key("acme")) as client:
        for state, is_open in (("open", True), ("closed", False)):
            until = soon(minutes=5)
            shown = client.post(f"{night}/override", json={"state": state, "until": until, "reason": "audit"}).json()
            assert shown["open"] is is_open
            override = shown["override"]
            assert (override["state"], override["by"], override["reason"]) == (state, "test", "audit")
            assert shown["changes"][0]["change"] == "override"
            assert shown["changes"][0]["data"]["reason"] == "audit"
    assert acme.put(night, json=NIGHT).json()["override"], "whoever changes the window leaves its override"
    ended = acme.delete(f"{night}/override").json()
    assert (ended["override"], ended["changes"][0]["change"]) == (None, "override_ended")
    assert acme.delete(f"{night}/override").json()["changes"] == ended["changes"], "again changes nothing"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "open", "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"state": "open", "until": "2099-01-01T00:00:00Z"}, "until"),
        ({"state": "open", "until": "2026-01-01T00:00:00"}, "until"),
        ({"state": "open", "until": "tomorrow"}, "until"),
        ({"state": "open"}, "until"),
        ({"state": "ajar", "until": "2099-01-01T00:00:00Z"}, "state"),
    ],
)
def test_an_override_without_a_near_end_is_refused(acme: httpx.Client, night: str, body: Any, field: str) -> None:
    document = refused(acme.post(f"{night}/override", json=body), 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [field]
    refused(acme.post("/v1/windows/none/override", json={"state": "open", "until": soon(hours=1)}), 404, "not_found")


def test_a_run_names_its_window_and_one_that_there_is(acme: httpx.Client, night: str) -> None:
    answer = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, "window": "night"})
    assert (answer.status_code, answer.json()["window"]) == (201, "night")
    assert acme.get(f"/v1/runs/{answer.json()['runId']}").json()["window"] == "night"
    document = refused(
        acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, "window": "nigth"}), 422, "unknown_window"
    )
    assert document["errors"] == [{"field": "window", "detail": "did you mean night?"}]
    batch = {"runs": [{"agent": "refund", "input": INPUT}, {"agent": "refund", "input": INPUT, "window": "x"}]}
    document = refused(acme.post("/v1/runs/batch", json=batch), 422, "unknown_window")
    assert document["errors"][0]["field"] == "runs[1].window"
    assert acme.delete(f"/v1/runs/{answer.json()['runId']}").json()["status"] == "CANCELED"


@pytest.fixture
def spare(acme: httpx.Client) -> Iterator[str]:
    assert acme.put("/v1/windows/spare", json=ALWAYS).status_code == 200
    yield "spare"
    acme.delete("/v1/windows/spare")


def test_a_window_is_deleted_when_nothing_needs_it_any_more(
    acme: httpx.Client, spare: str, fake_worker: FakeWorker
) -> None:
    run = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, "window": spare}).json()["runId"]
    assert acme.put("/v1/queues/default", json={"window": spare}).json()["window"] == spare
    assert acme.put("/v1/agents/refund", json={"window": spare}).json()["window"] == spare
    shown = acme.get(f"/v1/windows/{spare}").json()
    assert (shown["queues"], shown["agents"]) == (["default"], ["refund"])
    used = refused(acme.delete(f"/v1/windows/{spare}"), 409, "conflict")["usedBy"]
    assert used == ["queue default", "agent refund", f"run {run}"]
    acme.put("/v1/queues/default", json={"window": None})
    acme.put("/v1/agents/refund", json={"window": None})
    assert refused(acme.delete(f"/v1/windows/{spare}"), 409, "conflict")["usedBy"] == [f"run {run}"]
    fake_worker.succeed(fake_worker.take(run))
    assert acme.delete(f"/v1/windows/{spare}").status_code == 204
    refused(acme.delete(f"/v1/windows/{spare}"), 404, "not_found")
    refused(acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, "window": spare}), 422, "unknown_window")


def test_of_a_queue_and_an_agent_only_what_was_said_is_changed(acme: httpx.Client, spare: str) -> None:
    for path in ("/v1/queues/default", "/v1/agents/refund"):
        assert acme.put(path, json={"window": spare}).json()["window"] == spare
        changed = acme.put(path, json={"paused": True}).json()
        assert (changed["paused"], changed["window"]) == (True, spare)
        changed = acme.put(path, json={"paused": False, "window": None}).json()
        assert (changed["paused"], changed["window"]) == (False, None)
        assert acme.put(path, json={}).json() == changed
        refused(acme.put(path, json={"window": "none"}), 422, "unknown_window")
        refused(acme.put(path, json={"limits": 4}), 422, "unknown_field")
        refused(acme.put(path, json={"paused": 1}), 400, "invalid_request")
    refused(acme.put("/v1/agents/nobody", json={"paused": True}), 404, "not_found")
    refused(acme.get("/v1/queues/nobody"), 404, "not_found")
    assert acme.put("/v1/queues/new", json={"paused": True}).json()["paused"]
    assert "new" in [queue["name"] for queue in acme.get("/v1/queues").json()["queues"]]


def test_whoever_may_not_operate_changes_nothing(api: ApiServer, night: str) -> None:
    with api.client(api.key("acme", ("read", "enqueue"))) as client:
        assert client.get(night).status_code == 200
        for answer in (
            client.put(night, json=NIGHT), client.delete(night), client.post(f"{night}/override", json={}),
            client.delete(f"{night}/override"), client.put("/v1/queues/default", json={}),
            client.put("/v1/agents/refund", json={}),
        ):  # fmt: skip
            refused(answer, 403, "forbidden")
