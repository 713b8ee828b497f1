"""Capacity for people and gauges for autoscalers show the same, of queues only."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.test_api_windows import ALWAYS, soon

NAMES = {
    "workers", "slots", "limit", "in_flight", "executing", "ready", "blocked", "parked", "open", "cordoned",
}  # fmt: skip


@pytest.fixture
def busy(api: ApiServer, acme: httpx.Client) -> Iterator[str]:
    """Return a queue of three slots: one run executes, two are ready, one waits for its place, one for its time."""
    queue = f"busy-{uuid.uuid4().hex[:8]}"  # readings of the second before do not contain it
    with api.connect() as connection:
        fake_worker = FakeWorker(connection, queue=queue, slots=3)
        fake_worker.take(enqueue(acme, queue))
        for more in ({}, {}, {"concurrencyKey": "secret key"}, {"notBefore": "2098-01-01T00:00:00Z"}):
            enqueue(acme, queue, **more)
        yield queue
        connection.execute("UPDATE agent SET queue = 'default'")


def enqueue(client: httpx.Client, queue: str, **more: Any) -> str:
    answer = client.post("/v1/runs", json={"agent": "refund", "input": INPUT, "queue": queue, **more})
    assert answer.status_code == 201, answer.text
    run: str = answer.json()["runId"]
    return run


def capacity(client: httpx.Client, queue: str, **says: Any) -> dict[str, Any]:
    """Poll until the reading is new: the last one is reused for a moment."""
    for _ in range(10_000):
        for shown in client.get("/v1/capacity").json()["queues"]:
            if shown["queue"] == queue and says.items() <= shown.items():
                found: dict[str, Any] = shown
                return found
    raise AssertionError(says)


def gauges(client: httpx.Client, queue: str) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        sample.name.removeprefix("taxiway_queue_"): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels == {"queue": queue}
    }


def test_capacity_says_what_holds_a_queue_back(acme: httpx.Client, busy: str) -> None:
    shown = capacity(acme, busy, queued=4)
    assert {name: shown[name] for name in ("slots", "inFlight", "queued", "blocked", "limit")} == {
        "slots": 3, "inFlight": 1, "queued": 4, "blocked": 2, "limit": None,
    }  # fmt: skip
    assert acme.put("/v1/windows/rush", json=ALWAYS).status_code == 200
    acme.put(f"/v1/queues/{busy}", json={"limit": 2, "paused": True, "cordoned": True, "window": "rush"})
    shown = capacity(acme, busy, limit=2)
    assert (shown["limit"], shown["paused"], shown["cordoned"], shown["window"]) == (2, True, True, "rush")
    assert shown["nextWindow"] == {"open": True, "until": None}
    until = soon(minutes=5)
    acme.post("/v1/windows/rush/override", json={"state": "closed", "until": until})
    closed = {"open": False, "until": acme.get("/v1/windows/rush").json()["until"]}
    assert capacity(acme, busy, nextWindow=closed)["limit"] == 2
    until_fresh(acme, busy, "open", 0)
    acme.put(f"/v1/queues/{busy}", json={"limit": None, "paused": False, "cordoned": False, "window": None})
    assert acme.delete("/v1/windows/rush").status_code == 204


def test_metrics_are_open_and_name_nothing_but_queues(
    api: ApiServer, acme: httpx.Client, anybody: httpx.Client, busy: str
) -> None:
    acme.put(f"/v1/queues/{busy}", json={"limit": 2, "weights": {"acme": 2}})
    until_fresh(anybody, busy, "limit", 2)
    assert gauges(anybody, busy) == {
        "workers": 1, "slots": 3, "limit": 2, "in_flight": 1, "executing": 1, "ready": 2, "blocked": 2, "parked": 0, "open": 1,
        "cordoned": 0,
    }  # fmt: skip
    text = anybody.get("/metrics").text
    assert "process_resident_memory_bytes" in text
    assert not [word for word in ("acme", "refund", "secret key") if word in text]
    acme.put(f"/v1/queues/{busy}", json={"limit": None, "weights": None, "cordoned": True})
    until_fresh(anybody, busy, "cordoned", 1)
    assert set(gauges(anybody, busy)) == NAMES - {"limit"}
    acme.put(f"/v1/queues/{busy}", json={"cordoned": False})


def until_fresh(client: httpx.Client, queue: str, name: str, value: float) -> None:
    """Poll until the reading is new: it may be that of the second before."""
    for _ in range(10_000):
        if gauges(client, queue).get(name) == value:
            return
    raise AssertionError(name)
