"""Limits by HTTP: settings of a queue or an agent are stored completely, shown unchanged, and refused by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT
from tests.system.test_api_windows import refused

PATH = "/v1/queues/limited"
UNLIMITED: dict[str, Any] = {
    "name": "limited", "limit": None, "tenantLimit": None, "keyLimit": 1, "holdKeys": False, "rate": None, "weights": {},
    "cordoned": False, "paused": False, "window": None,
}  # fmt: skip
LIMITED = {
    "limit": 20, "tenantLimit": 5, "keyLimit": 2, "holdKeys": True, "rate": {"limit": 100, "per": "PT1M"},
    "weights": {"acme": 2, "ünï": 0.01}, "cordoned": True, "paused": True,
}  # fmt: skip
NONE = {"limit": None, "tenantLimit": None, "keyLimit": None, "rate": None, "weights": None}
OFF = {"holdKeys": False, "cordoned": False, "paused": False, "window": None}


@pytest.fixture(autouse=True)
def queue(api: ApiServer, acme: httpx.Client) -> Iterator[None]:
    assert acme.put(PATH, json={**NONE, **OFF}).json() == UNLIMITED
    with api.connect() as connection:
        connection.execute("DELETE FROM place_change")
        connection.execute("DELETE FROM tenant_share WHERE queue = 'limited'")
    yield
    acme.put(PATH, json={**NONE, **OFF})


def changes(api: ApiServer) -> int:
    """Count how often the leading scheduler is asked to recheck the queue's lines."""
    with api.connect() as connection:
        return len(connection.execute("SELECT FROM place_change WHERE queue = 'limited'").fetchall())


def weights(api: ApiServer) -> dict[str, float]:
    with api.connect() as connection:
        rows = connection.execute("SELECT tenant, weight FROM tenant_share WHERE queue = 'limited'").fetchall()
    return {row["tenant"]: row["weight"] for row in rows}


def test_what_is_said_is_shown_and_what_is_left_out_stays(acme: httpx.Client) -> None:
    said = acme.put(PATH, json=LIMITED).json()
    assert said == {**UNLIMITED, **LIMITED}
    assert acme.put(PATH, json={}).json() == said == acme.get(PATH).json()
    for field, value in LIMITED.items():
        lifted = None if field in NONE else False
        changed = acme.put(PATH, json={field: lifted}).json()
        assert changed == {**said, field: UNLIMITED[field]}, field
        assert acme.put(PATH, json={field: value}).json() == said
    assert acme.put(PATH, json={**NONE, **OFF}).json() == UNLIMITED


def test_a_rate_is_stored_in_milliseconds(api: ApiServer, acme: httpx.Client) -> None:
    for per, shown, stored in ((1, "PT1S", 1000), ("PT1M30S", "PT1M30S", 90_000), ("P1D", "PT24H", 86_400_000)):
        rate = acme.put(PATH, json={"rate": {"limit": 7, "per": per}}).json()["rate"]
        assert rate == {"limit": 7, "per": shown}
        with api.connect() as connection:
            row = connection.execute("SELECT rate FROM queue WHERE name = 'limited'").fetchone()
        assert row == {"rate": {"limit": 7, "per_ms": stored}}


WRONG: list[tuple[Any, str]] = [
    *[
        ({field: value}, field)
        for field in ("limit", "tenantLimit", "keyLimit")
        for value in (0, -1, True, "4", 1.5, 2**31, [])
    ],
    *[({field: value}, field) for field in ("holdKeys", "cordoned", "paused") for value in (1, 0, "yes", None)],
    ({"rate": 100}, "rate"),
    ({"rate": "100/1m"}, "rate"),
    ({"rate": {"limit": 100}}, "rate.per"),
    ({"rate": {"per": 60}}, "rate.limit"),
    *[({"rate": {"limit": value, "per": 60}}, "rate.limit") for value in (0, -1, True, 100_001, 1.5, None)],
    *[({"rate": {"limit": 1, "per": value}}, "rate.per") for value in (0, 0.5, 86_401, "P2D", "1m", True, None, -5)],
    ({"weights": 2}, "weights"),
    ({"weights": ["acme"]}, "weights"),
    ({"weights": {str(n): 1 for n in range(1001)}}, "weights"),
    *[({"weights": {"acme": value}}, "weights.acme") for value in (0, -1, 0.001, 1001, True, "2", None)],
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=[json.dumps(case[0])[:60] for case in WRONG])
def test_what_is_wrong_with_a_limit_is_named_and_changes_nothing(
    api: ApiServer, acme: httpx.Client, body: Any, field: str
) -> None:
    document = refused(acme.put(PATH, json={"limit": 3, **body}), 400, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [field]
    assert document["detail"].startswith(f"{field} ")
    assert acme.get(PATH).json() == UNLIMITED
    assert changes(api) == 0


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "1e400"])
def test_a_weight_that_is_no_number_is_refused(acme: httpx.Client, weight: str) -> None:
    raw = f'{{"weights": {{"acme": {weight}}}}}'
    answer = acme.put(PATH, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("name", ["", "a\0", "\ud800", "t" * 201])
def test_a_tenant_that_can_be_none_is_refused(acme: httpx.Client, name: str) -> None:
    raw = json.dumps({"weights": {name: 2}})
    refused(acme.put(PATH, content=raw, headers={"content-type": "application/json"}), 400, "invalid_request")


def test_an_unknown_limit_is_refused_by_name(acme: httpx.Client) -> None:
    document = refused(acme.put(PATH, json={"limits": 4}), 422, "unknown_field")
    assert document["errors"] == [{"field": "limits", "detail": "is not known"}]
    document = refused(acme.put(PATH, json={"rate": {"limit": 1, "per": 1, "burst": 2}}), 422, "unknown_field")
    assert document["errors"] == [{"field": "rate.burst", "detail": "is not known"}]
    document = refused(acme.put("/v1/agents/refund", json={"tenantLimit": 4}), 422, "unknown_field")
    assert document["errors"] == [{"field": "tenantLimit", "detail": "is not known"}]


def test_weights_are_replaced_as_a_whole(api: ApiServer, acme: httpx.Client) -> None:
    acme.put(PATH, json={"weights": {"acme": 2, "new": 0.5}})
    assert weights(api) == {"acme": 2, "new": 0.5}
    acme.put(PATH, json={"weights": {"new": 3}})
    assert weights(api) == {"new": 3}
    assert acme.put(PATH, json={"limit": 9}).json()["weights"] == {"new": 3}, "what is left out stays"
    assert weights(api) == {"new": 3}
    for nothing in ({}, None):
        acme.put(PATH, json={"weights": {"new": 3}})
        assert acme.put(PATH, json={"weights": nothing}).json()["weights"] == {}
        assert weights(api) == {}


def test_weights_may_be_put_while_everybody_enqueues(api: ApiServer, acme: httpx.Client) -> None:
    """A change of a queue locks the shares of its tenants, an enqueue into several queues locks theirs: no deadlock."""
    keys = [api.key(f"tenant{n}") for n in range(4)]
    run = {"agent": "refund", "input": INPUT}
    batch = {"runs": [{**run, "queue": queue} for queue in ("limited", "default", "limited", "default")]}

    def enqueue(key: str) -> list[int]:
        with api.client(key) as client:
            return [client.post("/v1/runs/batch", json=batch).status_code for _ in range(15)]

    def weigh(queue: str) -> list[int]:
        shares = [{f"tenant{n}": 1 + (n + turn) % 3 for n in range(3)} for turn in range(20)]
        with api.client(acme.headers["x-api-key"]) as client:
            return [client.put(f"/v1/queues/{queue}", json={"weights": share}).status_code for share in shares]

    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(enqueue, key) for key in keys]
        put = [pool.submit(weigh, queue) for queue in ("limited", "default", "limited")]
    assert {status for future in made for status in future.result()} == {201}
    assert {status for future in put for status in future.result()} == {200}
    said = acme.get(PATH).json()["weights"]
    assert weights(api) == said
    acme.put("/v1/queues/default", json={"weights": None})


def test_only_who_operates_sees_the_weights_of_others(api: ApiServer, acme: httpx.Client) -> None:
    acme.put(PATH, json={"weights": {"acme": 2, "rival": 3}})
    with api.client(api.key("acme", ("read",))) as client:
        assert client.get(PATH).json()["weights"] == {"acme": 2}
        assert "rival" not in client.get("/v1/queues").text
    with api.client(api.key("third", ("read",))) as client:
        assert client.get(PATH).json()["weights"] == {}
    assert acme.get(PATH).json()["weights"] == {"acme": 2, "rival": 3}


def test_the_scheduler_looks_at_the_lines_only_where_they_change(api: ApiServer, acme: httpx.Client) -> None:
    for said, looks in (
        ({"limit": 4, "rate": {"limit": 1, "per": 1}, "weights": {"a": 2}, "paused": True, "cordoned": True}, 0),
        ({"tenantLimit": 5}, 1),
        ({"tenantLimit": 5}, 1),
        ({"keyLimit": 1, "holdKeys": False}, 1),
        ({"keyLimit": 3, "holdKeys": True}, 2),
        ({"keyLimit": None}, 3),
        ({"tenantLimit": None, "holdKeys": False}, 4),
    ):
        assert acme.put(PATH, json=said).status_code == 200
        assert changes(api) == looks, said


def test_an_agent_is_limited(acme: httpx.Client) -> None:
    path = "/v1/agents/refund"
    assert acme.put(path, json={"limit": 4}).json()["limit"] == 4
    assert acme.put(path, json={"paused": False}).json()["limit"] == 4
    assert {agent["name"]: agent["limit"] for agent in acme.get("/v1/agents").json()["agents"]}["refund"] == 4
    for wrong in (0, -1, True, "4", 1.5):
        document = refused(acme.put(path, json={"limit": wrong}), 400, "invalid_request")
        assert [error["field"] for error in document["errors"]] == ["limit"]
    assert acme.put(path, json={"limit": None}).json()["limit"] is None


SOON = "2098-03-01T09:30:00+02:00"


def test_a_run_is_stored_with_its_key_its_beginning_and_its_end(api: ApiServer, acme: httpx.Client) -> None:
    asked = {
        "agent": "refund", "input": INPUT, "notBefore": "2026-03-01T09:30:00.5+14:00", "expiresIn": "PT1H30M",
        "concurrencyKey": "order 7 ünï😀", "onConflict": "cancel_running",
    }  # fmt: skip
    shown = acme.post("/v1/runs", json=asked).json()
    assert {name: shown[name] for name in ("concurrencyKey", "onConflict", "notBefore")} == {
        "concurrencyKey": "order 7 ünï😀", "onConflict": "cancel_running", "notBefore": "2026-02-28T19:30:00.500Z",
    }  # fmt: skip
    lasts = datetime.fromisoformat(shown["expiresAt"]) - datetime.fromisoformat(shown["createdAt"])
    assert lasts == timedelta(minutes=90)
    assert acme.get(f"/v1/runs/{shown['runId']}").json() == shown
    batch = acme.post("/v1/runs/batch", json={"runs": [asked, {"agent": "refund", "input": INPUT}]}).json()["runs"]
    assert batch[0]["onConflict"] == "cancel_running"
    assert [batch[1][name] for name in ("concurrencyKey", "onConflict", "notBefore", "expiresAt")] == [None] * 4
    with api.connect() as connection:
        row = connection.execute(
            "SELECT concurrency_key, on_conflict, not_before, expires_at - created_at AS lasts FROM run WHERE id = %s",
            [shown["runId"]],
        ).fetchone()
    assert row == {
        "concurrency_key": "order 7 ünï😀", "on_conflict": "cancel_running", "lasts": timedelta(minutes=90),
        "not_before": datetime.fromisoformat("2026-02-28T19:30:00.5Z"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        {"notBefore": SOON},
        {"notBefore": "2098-03-01T09:30:00+23:59"},
        {"expiresIn": 0.001},
        {"expiresIn": "P36600D"},
        {"concurrencyKey": "k" * 255},
        {"concurrencyKey": "k", "onConflict": None},
        {"concurrencyKey": "k", "onConflict": "queue"},
        {"notBefore": None, "expiresIn": None, "concurrencyKey": None, "onConflict": None},
    ],
)
def test_what_is_in_bounds_is_accepted(acme: httpx.Client, asked: dict[str, Any]) -> None:
    answer = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, **asked})
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert acme.get(f"/v1/runs/{shown['runId']}").json() == shown
    assert shown["onConflict"] == ("queue" if asked.get("concurrencyKey") else None)


def test_a_retry_takes_the_key_along_and_neither_times_nor_conflicts(acme: httpx.Client) -> None:
    asked = {"expiresIn": "P100D", "concurrencyKey": "once", "onConflict": "skip"}
    run = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT, **asked}).json()["runId"]
    assert acme.delete(f"/v1/runs/{run}").json()["status"] == "CANCELED"
    retry = acme.post(f"/v1/runs/{run}/retry").json()
    assert [retry[name] for name in ("concurrencyKey", "onConflict", "notBefore", "expiresAt")] == [
        "once", "queue", None, None,
    ]  # fmt: skip


def test_whoever_may_not_operate_limits_nothing(api: ApiServer) -> None:
    with api.client(api.key("acme", ("read", "enqueue", "decide", "admin"))) as client:
        refused(client.put(PATH, json={"limit": 1}), 403, "forbidden")
        refused(client.put("/v1/agents/refund", json={"limit": 1}), 403, "forbidden")
