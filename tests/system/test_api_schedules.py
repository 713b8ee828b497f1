"""Schedules by HTTP: created, partly changed, paused, run by hand and deleted; each tenant sees its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT
from tests.system.test_api_windows import ALWAYS, refused

RUN = {"agent": "refund", "input": INPUT, "priority": 2, "timeout": "PT5M", "tags": ["nightly"]}
DAILY = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "run": RUN}
PATH = "/v1/schedules/nightly"


@pytest.fixture
def nightly(acme: httpx.Client) -> Iterator[dict[str, Any]]:
    answer = acme.put(PATH, json=DAILY)
    assert answer.status_code == 200, answer.text
    yield answer.json()
    acme.delete(PATH)


def test_a_schedule_is_shown_as_it_was_asked_for(acme: httpx.Client, nightly: dict[str, Any]) -> None:
    assert {name: nightly[name] for name in ("cron", "timezone", "run")} == DAILY
    assert (nightly["agent"], nightly["overlap"], nightly["catchUp"], nightly["paused"]) == (
        "refund",
        "skip",
        "none",
        False,
    )
    assert datetime.fromisoformat(nightly["nextAt"]) > datetime.now(UTC)
    assert nightly["next"][0] == nightly["nextAt"]
    assert len(nightly["next"]) == 5
    assert acme.get(PATH).json() == nightly
    [listed] = acme.get("/v1/schedules").json()["schedules"]
    assert listed == {name: nightly[name] for name in listed}


def test_what_is_left_out_stays_and_a_pause_makes_good_for_nothing(acme: httpx.Client, nightly: dict[str, Any]) -> None:
    paused = acme.put(PATH, json={"paused": True}).json()
    assert (paused["nextAt"], paused["next"], paused["run"]) == (None, [], RUN)
    assert acme.put(PATH, json={"paused": False}).json() == nightly
    hourly = acme.put(PATH, json={"cron": "0  * * * *", "overlap": "queue", "catchUp": "last"}).json()
    assert (hourly["cron"], hourly["overlap"], hourly["catchUp"], hourly["run"]) == ("0 * * * *", "queue", "last", RUN)
    assert (datetime.fromisoformat(hourly["nextAt"]) - datetime.now(UTC)).total_seconds() <= 3600
    other = acme.put(PATH, json={"run": {"agent": "echo"}}).json()
    assert (other["agent"], other["run"], other["nextAt"]) == ("echo", {"agent": "echo", "input": {}}, hourly["nextAt"])


def test_a_schedule_is_run_by_hand(acme: httpx.Client, nightly: dict[str, Any]) -> None:
    acme.put(PATH, json={"paused": True})
    answer = acme.post(f"{PATH}/run")
    run = answer.json()
    assert (answer.status_code, run["status"], run["agent"], run["input"]) == (201, "QUEUED", "refund", INPUT)
    assert (run["priority"], run["tags"], run["metadata"]["schedule"]) == (2, ["nightly"], "nightly")
    shown = acme.get(PATH).json()
    assert [(firing["outcome"], firing["runId"]) for firing in shown["firings"]] == [("by_hand", run["runId"])]
    assert shown["openRuns"] == 1
    assert acme.get("/v1/runs", params={"metadata.schedule": "nightly"}).json()["runs"][0]["runId"] == run["runId"]


def test_a_schedule_gives_its_runs_a_key_and_a_time_to_begin_in(api: ApiServer, acme: httpx.Client) -> None:
    keyed = {**RUN, "concurrencyKey": "nightly", "onConflict": "skip", "expiresIn": "PT1H"}
    assert acme.put(PATH, json={**DAILY, "run": keyed}).json()["run"] == keyed
    run = acme.post(f"{PATH}/run").json()
    assert (run["concurrencyKey"], run["onConflict"], run["notBefore"]) == ("nightly", "skip", None)
    lasts = datetime.fromisoformat(run["expiresAt"]) - datetime.fromisoformat(run["createdAt"])
    assert lasts.total_seconds() == 3600
    with api.connect() as connection:
        # As a schedule was stored before its runs could have these fields.
        connection.execute("""UPDATE schedule SET request = json_build_object('given', request -> 'given', 'run',
            (request::jsonb -> 'run') - 'expires_in_ms' - 'concurrency_key' - 'on_conflict')""")
    run = acme.post(f"{PATH}/run").json()
    assert (run["concurrencyKey"], run["onConflict"], run["expiresAt"]) == (None, None, None)
    acme.delete(PATH)


@pytest.mark.parametrize(
    ("wrong", "status", "code", "field"),
    [
        ({"cron": "30 2 * *"}, 400, "invalid_request", "cron"),
        ({"cron": "* * * * * *"}, 400, "invalid_request", "cron"),
        ({"timezone": "Mars/Olympus"}, 400, "invalid_request", "timezone"),
        ({"overlap": "cancel"}, 400, "invalid_request", "overlap"),
        ({"catchUp": "all"}, 400, "invalid_request", "catchUp"),
        ({"paused": "no"}, 400, "invalid_request", "paused"),
        ({"run": "refund"}, 400, "invalid_request", "run"),
        ({"run": {**RUN, "priority": 101}}, 400, "invalid_request", "run.priority"),
        ({"run": {**RUN, "input": {}}}, 422, "invalid_input", "run.input.order_id"),
        ({"run": {**RUN, "agent": "refnd"}}, 422, "unknown_agent", "run.agent"),
        ({"run": {**RUN, "queue": "x"}}, 422, "unknown_queue", "run.queue"),
        ({"run": {**RUN, "window": "x"}}, 422, "unknown_window", "run.window"),
        ({"run": {**RUN, "notBefore": "2030-01-01T00:00:00Z"}}, 422, "unknown_field", "run.notBefore"),
        ({"run": {**RUN, "callbackUrl": "https://a.example"}}, 422, "unknown_field", "run.callbackUrl"),
        ({"run": {**RUN, "expiresIn": 0}}, 400, "invalid_request", "run.expiresIn"),
        ({"run": {**RUN, "concurrencyKey": "a\n"}}, 400, "invalid_request", "run.concurrencyKey"),
        ({"run": {**RUN, "onConflict": "skip"}}, 400, "invalid_request", "run.onConflict"),
        ({"when": "now"}, 422, "unknown_field", "when"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_named(
    acme: httpx.Client, wrong: dict[str, Any], status: int, code: str, field: str
) -> None:
    document = refused(acme.put("/v1/schedules/wrong", json={**DAILY, **wrong}), status, code)
    assert [error["field"] for error in document["errors"]] == [field]
    refused(acme.get("/v1/schedules/wrong"), 404, "not_found")


def test_a_new_schedule_needs_its_three_fields(acme: httpx.Client) -> None:
    document = refused(acme.put("/v1/schedules/wrong", json={"paused": True}), 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == ["cron", "timezone", "run"]
    refused(acme.put("/v1/schedules/a b", json=DAILY), 400, "invalid_request")


def test_a_schedule_is_its_tenants_alone(acme: httpx.Client, other: httpx.Client, nightly: dict[str, Any]) -> None:
    assert other.get("/v1/schedules").json() == {"schedules": []}
    for answer in (other.get(PATH), other.delete(PATH), other.post(f"{PATH}/run")):
        refused(answer, 404, "not_found")
    assert acme.get(PATH).json() == nightly


def test_a_deleted_schedule_is_gone_and_its_runs_are_not(acme: httpx.Client, nightly: dict[str, Any]) -> None:
    run = acme.post(f"{PATH}/run").json()["runId"]
    assert acme.delete(PATH).status_code == 204
    refused(acme.delete(PATH), 404, "not_found")
    refused(acme.post(f"{PATH}/run"), 404, "not_found")
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "QUEUED"


def test_a_window_that_a_schedule_names_is_not_deleted(acme: httpx.Client, nightly: dict[str, Any]) -> None:
    assert acme.put("/v1/windows/spare", json=ALWAYS).status_code == 200
    assert acme.put(PATH, json={"run": {**RUN, "window": "spare"}}).status_code == 200
    assert refused(acme.delete("/v1/windows/spare"), 409, "conflict")["usedBy"] == ["a schedule"]
    acme.delete(PATH)
    assert acme.delete("/v1/windows/spare").status_code == 204


def test_whoever_may_not_operate_makes_no_schedule(api: ApiServer, nightly: dict[str, Any]) -> None:
    with api.client(api.key("acme", ("read",))) as client:
        assert client.get(PATH).status_code == 200
        for answer in (client.put(PATH, json={}), client.delete(PATH), client.post(f"{PATH}/run")):
            refused(answer, 403, "forbidden")
