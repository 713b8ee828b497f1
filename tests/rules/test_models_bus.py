"""Hints are sent in order, dropped if too many wait, and lost silently while Redis is away."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest
import redis

from models.runtime import bus
from models.runtime.bus import Bus

WITHIN_S = 10


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(bus, "fact", lambda name, **fields: said.append(name))
    return said


@pytest.fixture
def new_bus(
    server: fakeredis.FakeServer, monkeypatch: pytest.MonkeyPatch, facts: list[str]
) -> Iterator[Callable[[], Bus]]:
    monkeypatch.setattr(bus, "open_redis", lambda url: fakeredis.FakeRedis(server=server))
    made: list[Bus] = []

    def make() -> Bus:
        made.append(Bus("redis://nowhere"))
        return made[-1]

    yield make
    for one in made:
        if one._thread.ident is not None:
            one.stop(WITHIN_S)
            assert not one._thread.is_alive()


def _subscribed(server: fakeredis.FakeServer, *channels: str) -> Any:
    listener = fakeredis.FakeRedis(server=server, decode_responses=True).pubsub(ignore_subscribe_messages=True)
    listener.subscribe(*channels)
    for _ in channels:
        assert listener.get_message(timeout=WITHIN_S) is None  # the answer to the subscription itself
    return listener


def _heard(listener: Any) -> list[tuple[str, str]]:
    """Return everything that was sent before the bus was stopped, without waiting."""
    heard = []
    while message := listener.get_message(timeout=0):
        heard.append((message["channel"], message["data"]))
    return heard


def test_an_event_goes_to_its_run_and_to_its_tenant(server: fakeredis.FakeServer, new_bus: Callable[[], Bus]) -> None:
    listener = _subscribed(server, "taxiway:run:r1", "taxiway:tenant:acme")
    sender = new_bus().start()
    sender.publish_event("acme", {"runId": "r1", "seq": 1})
    sender.stop(WITHIN_S)

    heard = _heard(listener)
    assert [channel for channel, _ in heard] == ["taxiway:run:r1", "taxiway:tenant:acme"]
    assert [json.loads(text) for _, text in heard] == [{"runId": "r1", "seq": 1}] * 2


def test_hints_keep_their_order_over_many_batches(server: fakeredis.FakeServer, new_bus: Callable[[], Bus]) -> None:
    listener = _subscribed(server, "c")
    sender = new_bus()
    for n in range(3 * bus.BATCH + 7):
        sender.wake_up("c", str(n))
    sender.start().stop(WITHIN_S)

    assert [text for _, text in _heard(listener)] == [str(n) for n in range(3 * bus.BATCH + 7)]


def test_a_wake_up_goes_before_events_that_gather(
    server: fakeredis.FakeServer, new_bus: Callable[[], Bus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "GATHER_SECONDS", 60.0)
    listener = _subscribed(server, "taxiway:tenant:acme", bus.FREED)
    sender = new_bus().start()
    sender.publish_event("acme", {"runId": "r1", "seq": 1})
    sender.wake_up(bus.FREED, "default")
    assert listener.get_message(timeout=WITHIN_S)["channel"] == bus.FREED
    sender.publish_event("acme", {"runId": "r1", "seq": 2})
    sender.stop(WITHIN_S)

    assert [json.loads(text)["seq"] for _, text in _heard(listener)] == [1, 2]


def test_the_newest_hints_are_dropped_when_too_many_wait(
    server: fakeredis.FakeServer, new_bus: Callable[[], Bus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "CAPACITY", 10)
    listener = _subscribed(server, "c")
    sender = new_bus()
    for n in range(50):
        sender.wake_up("c", str(n))
    sender.start().stop(WITHIN_S)

    assert [text for _, text in _heard(listener)] == [str(n) for n in range(10)]


def test_nothing_raises_while_redis_is_away_and_hints_flow_again_when_it_is_back(
    server: fakeredis.FakeServer, new_bus: Callable[[], Bus], facts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = _subscribed(server, "c")
    sender = new_bus()
    noticed = threading.Event()
    monkeypatch.setattr(bus, "fact", lambda name, **fields: (facts.append(name), noticed.set()))
    server.connected = False
    sender.start()
    sender.wake_up("c", "lost")
    assert noticed.wait(WITHIN_S)
    assert facts == ["redis.away"]

    server.connected = True
    sender.wake_up("c", "heard")
    sender.stop(WITHIN_S)

    assert _heard(listener) == [("c", "heard")]
    assert facts == ["redis.away", "redis.back"]


@pytest.mark.parametrize("error", [redis.ConnectionError("gone"), redis.TimeoutError("slow"), ConnectionResetError()])
def test_every_way_in_which_a_connection_ends_is_survived(
    server: fakeredis.FakeServer, new_bus: Callable[[], Bus], facts: list[str], monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:  # fmt: skip
    listener = _subscribed(server, "c")
    sender = new_bus()
    real, failures = sender._redis.pipeline, [error]

    def pipeline(**options: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(**options)

    monkeypatch.setattr(sender._redis, "pipeline", pipeline)
    monkeypatch.setattr(bus, "BATCH", 1)
    sender.wake_up("c", "lost")
    sender.wake_up("c", "heard")
    sender.start().stop(WITHIN_S)

    assert _heard(listener) == [("c", "heard")]
    assert facts == ["redis.away", "redis.back"]


def test_saying_something_never_waits_for_a_server_that_does_not_answer(new_bus: Callable[[], Bus]) -> None:
    """The sender's thread hangs; other threads continue, and stopping keeps its deadline."""
    sender, hangs, release = new_bus(), threading.Event(), threading.Event()

    def hang(hints: Any) -> None:
        hangs.set()
        release.wait(WITHIN_S)

    sender._send = hang  # type: ignore[method-assign]  # simulates a half-open connection
    sender.start()
    sender.wake_up("c", "1")
    assert hangs.wait(WITHIN_S)
    for n in range(2 * bus.CAPACITY):
        sender.wake_up("c", str(n))
    assert sender._wakes.qsize() == bus.CAPACITY
    sender.stop(0.01)
    assert sender._thread.is_alive()
    release.set()


def test_a_client_gives_up_on_a_half_open_connection() -> None:
    client = bus.open_redis("redis://127.0.0.1:1/0")
    options = client.connection_pool.connection_kwargs

    assert 0 < options["socket_timeout"] <= 10
    assert 0 < options["socket_connect_timeout"] <= 10
    assert options["socket_keepalive"]
    client.close()
