"""A flood on the channel of one watched run costs that run's stream some of it, and delays no other stream."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

import httpx
import pytest

from models.runs import public_event
from models.runtime.bus import Bus, run_channel, tenant_channel
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.following import enqueue, followed

LOUD = "loud"
"""A tenant of this test's own: other tests hear what Redis says of theirs."""
# Any client of Redis can publish this fast; workers do not.
FLOOD = """
import json, sys, time, redis
url, channel = sys.argv[1:]
said = {"event": "progress", "runId": channel.rpartition(":")[2], "runStatus": "RUNNING", "timestamp": "", "note": "x" * 60}
text, client = json.dumps(said, separators=(",", ":")), redis.Redis.from_url(url)
print("ready", flush=True)
began, sent = time.monotonic(), 0
while True:
    if (due := int((time.monotonic() - began) * 22_000) - sent) < 200:
        time.sleep(0.002)
        continue
    pipeline = client.pipeline(transaction=False)
    for _ in range(200):
        pipeline.publish(channel, text)
    pipeline.execute()
    sent += 200
"""


@pytest.fixture
def bus(api: ApiServer) -> Iterator[Bus]:
    bus = Bus(api.redis_url).start()
    yield bus
    bus.stop()


@contextmanager
def flooded(api: ApiServer, channel: str) -> Iterator[None]:
    command = [sys.executable, "-c", FLOOD, api.redis_url, channel]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def until(fact: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.002)  # between two polls


def _delays(bus: Bus, run: str, told: list[Any], times: int) -> list[float]:
    """Publish live messages of a run repeatedly; return how long each took to its client, in milliseconds."""
    delays = []
    for n in range(times):
        known = len(told)
        began = time.monotonic()
        bus.publish_event("acme", public_event.live(run, "RUNNING", "progress", {"done": n}))
        until(lambda known=known: len(told) > known)  # type: ignore[misc]
        delays.append((time.monotonic() - began) * 1000)
        time.sleep(0.02)  # so that they are spread over the flood
    return delays


@pytest.mark.parametrize("flood", ["run", "tenant"])
def test_other_streams_get_their_live_events_by_hints_all_the_while(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker, bus: Bus, flood: str
) -> None:
    watched, other = enqueue(acme), enqueue(acme)
    fences = fake_worker.take(watched), fake_worker.take(other)
    channel = run_channel(watched) if flood == "run" else tenant_channel(LOUD)
    with (
        followed(acme, watched) as flooded_told,
        followed(acme, other) as told,
        api.client(api.key(LOUD)) as loud,
    ):
        until(lambda: len(told) == 2)
        with loud.stream("GET", "/v1/events/sse") as tenant, flooded(api, channel):
            assert tenant.status_code == 200, tenant.read()
            time.sleep(0.5)  # the flood is in full progress
            delays = _delays(bus, other, told, 100)
            began = time.monotonic()
            assert acme.get("/health").status_code == 200
            health_ms = (time.monotonic() - began) * 1000
            fake_worker.step(fences[0], "one")
            began = time.monotonic()
            until(lambda: any(frame["event"] == "step" for frame in flooded_told))
            step_s = time.monotonic() - began
        for fence in fences:
            fake_worker.succeed(fence)
    assert median(delays) < 200, (median(delays), max(delays))
    assert quantiles(delays, n=100)[98] < 1000, max(delays)
    assert health_ms < 1000
    assert flood == "tenant" or step_s < 1.5, "a run whose channel is left is read more often than every 2 s"
    assert flooded_told[-1]["event"] == "end"
