"""A listener that was silently cut off reconnects by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis

from models.runtime import listener as listeners
from models.runtime.listener import Listener
from ops.chaos.link_loop import LinkLoop
from ops.chaos.proxy import Link, Mode, Streams

CHANNEL = "taxiway:test"


@pytest.fixture
def link_loop() -> Iterator[LinkLoop]:
    board = LinkLoop()
    yield board
    board.stop()


@pytest.fixture
def link(link_loop: LinkLoop, redis_url: str) -> Link:
    server = urlsplit(redis_url)

    async def dial() -> Streams:
        return await asyncio.open_connection(server.hostname, server.port)

    return link_loop.link(dial)


def through(link: Link, redis_url: str) -> str:
    server = urlsplit(redis_url)
    return server._replace(netloc=f":{server.password}@127.0.0.1:{link.port}").geturl()


def test_a_listener_behind_a_hole_hears_again_when_the_way_is_open(
    link_loop: LinkLoop, link: Link, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(listeners, "BACK_OFF_SECONDS", 0.1)
    heard = threading.Event()
    listener = Listener(through(link, redis_url), lambda: (CHANNEL,), lambda _: heard.set())
    listener.start()
    with redis.Redis.from_url(redis_url) as client:

        def hears(seconds: float) -> bool:
            heard.clear()
            for _ in range(int(seconds * 10)):
                client.publish(CHANNEL, "now")
                if heard.wait(0.1):
                    return True
            return False

        assert hears(10)
        link_loop.do(link.switch, Mode.HOLE)
        assert not hears(0.5)
        link_loop.do(link.switch, Mode.PASS)
        assert hears(20)
    listener.stop()
