"""A listener receives hints on its channel, reconnects after a lost connection, and follows a changed channel."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import fakeredis
import pytest
import redis

from models.runtime import listener as module
from models.runtime.listener import Listener

WITHIN_S = 10


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeServer:
    server = fakeredis.FakeServer()
    monkeypatch.setattr(module, "open_redis", lambda url: fakeredis.FakeRedis(server=server))
    monkeypatch.setattr(module, "BACK_OFF_SECONDS", 0.01)
    return server


@pytest.fixture
def heard() -> threading.Semaphore:
    return threading.Semaphore(0)


@pytest.fixture
def channel() -> list[str]:
    return ["one"]


@pytest.fixture
def listener(server: fakeredis.FakeServer, heard: threading.Semaphore, channel: list[str]) -> Iterator[Listener]:
    listener = Listener("redis://nowhere", lambda: (channel[0],), lambda _: heard.release())
    yield listener
    listener.stop()
    fakeredis.FakeRedis(server=server).publish(channel[0], "")  # it looks once a second, or when it receives something
    listener._thread.join(WITHIN_S)
    assert not listener._thread.is_alive()


def _say(server: fakeredis.FakeServer, channel: str) -> None:
    """Publish until the hint has a subscriber: a new subscription receives nothing published before it."""
    client, subscribed = fakeredis.FakeRedis(server=server), threading.Event()
    for _ in range(WITHIN_S * 100):
        if client.publish(channel, "") > 0:
            return
        subscribed.wait(0.01)
    pytest.fail(f"nobody subscribed to {channel}")


def test_a_hint_on_the_channel_is_heard(
    server: fakeredis.FakeServer, listener: Listener, heard: threading.Semaphore
) -> None:
    listener.start()
    _say(server, "one")

    assert heard.acquire(timeout=WITHIN_S)


def test_a_lost_connection_is_opened_again(
    server: fakeredis.FakeServer, listener: Listener, heard: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[Exception] = [redis.ConnectionError("gone"), redis.TimeoutError("slow"), OSError("unreachable")]

    def open_redis(url: str) -> fakeredis.FakeRedis:
        if failures:
            raise failures.pop()
        return fakeredis.FakeRedis(server=server)

    monkeypatch.setattr(module, "open_redis", open_redis)
    listener.start()
    _say(server, "one")

    assert heard.acquire(timeout=WITHIN_S)
    assert failures == []


def test_a_channel_that_changed_is_followed(
    server: fakeredis.FakeServer, listener: Listener, heard: threading.Semaphore, channel: list[str]
) -> None:
    """A worker that registered again has another id."""
    listener.start()
    _say(server, "one")
    assert heard.acquire(timeout=WITHIN_S)

    channel[0] = "two"
    _say(server, "one")
    assert heard.acquire(timeout=WITHIN_S)
    _say(server, "two")

    assert heard.acquire(timeout=WITHIN_S)
