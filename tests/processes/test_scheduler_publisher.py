"""Tickets are published by a thread that survives every absence of the broker, in batches, once each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import redis

from models.promotion.tickets import Ticket
from models.runtime.celery_settings import broker_settings
from models.runtime.settings import Settings
from scheduler.promotion import publisher as publishers
from scheduler.promotion.publisher import Publisher
from tests.postgres.proxy import Proxy
from tests.rows import ticket

PATIENCE = 25.0


def _until(fact: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)  # a fact of another thread


def _ticket(queue: str = "default") -> Ticket:
    return ticket(id=uuid.uuid4(), epoch=1, agent="echo", queue=queue)


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    parts = urlsplit(redis_url)
    assert parts.hostname
    assert parts.port
    with Proxy((parts.hostname, parts.port)) as proxy:
        yield proxy


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(publishers, "fact", lambda name, **_: told.append(name))
    return told


@pytest.fixture
def publisher(proxy: Proxy, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    def impatient(settings: Settings) -> dict[str, Any]:
        told = broker_settings(settings)
        return {**told, "broker_transport_options": {**told["broker_transport_options"], "socket_timeout": 1}}

    monkeypatch.setattr(publishers, "broker_settings", impatient)
    parts = urlsplit(redis_url)
    through = redis_url.replace(f":{parts.port}/", f":{proxy.port}/")
    publisher = Publisher(Settings(redis_url=through, secret_key="k" * 16))
    publisher.start()
    yield publisher
    proxy.refusing = proxy.frozen = False
    publisher.stop(5)
    publisher._app.close()
    publisher._app.pool.force_close_all()


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def _length(broker: redis.Redis, queue: str = "default") -> int:
    return int(broker.llen(f"taxiway:{queue}"))  # type: ignore[arg-type]  # the blocking client returns a number


def test_a_batch_of_tickets_arrives_each_once_in_its_queue(publisher: Publisher, broker: redis.Redis) -> None:
    publisher.publish([_ticket() for _ in range(1200)] + [_ticket("money") for _ in range(3)])
    publisher.publish([])
    _until(lambda: _length(broker) == 1200 and _length(broker, "money") == 3, "all arrive")


def test_a_broker_that_refuses_ends_nothing_and_is_said_once(
    publisher: Publisher, broker: redis.Redis, proxy: Proxy, said: list[str]
) -> None:
    publisher.publish([_ticket()])
    _until(lambda: _length(broker) == 1, "the first arrives")
    proxy.refusing = True
    proxy.cut()
    for _ in range(3):
        publisher.publish([_ticket()])
    _until(lambda: "broker.away" in said and publisher._waiting.empty(), "it says so")
    proxy.refusing = False

    def arrives() -> bool:
        publisher.publish([_ticket()])
        time.sleep(0.05)  # not faster than a scheduler publishes again
        return _length(broker) >= 2

    _until(arrives, "later tickets arrive")
    assert said[0] == "broker.away"
    assert said.count("broker.away") == said.count("broker.back") == 1


def test_a_broker_that_is_absent_at_the_start_ends_nothing(
    publisher: Publisher, broker: redis.Redis, proxy: Proxy, said: list[str]
) -> None:
    proxy.refusing = True
    publisher.publish([_ticket()])
    _until(lambda: said == ["broker.away"], "it says so")
    proxy.refusing = False
    _until(lambda: (publisher.publish([_ticket()]), time.sleep(0.05), _length(broker))[2], "later tickets arrive")


def test_a_connection_that_goes_silent_is_given_up(
    publisher: Publisher, broker: redis.Redis, proxy: Proxy, said: list[str]
) -> None:
    publisher.publish([_ticket()])
    _until(lambda: _length(broker) == 1, "the first arrives")
    proxy.frozen = True
    publisher.publish([_ticket()])
    _until(lambda: "broker.away" in said, "it gives up within the time of a socket")
    proxy.frozen = False
    _until(lambda: (publisher.publish([_ticket()]), time.sleep(0.05), _length(broker) >= 2)[2], "later tickets arrive")


def test_a_ticket_that_makes_no_sense_does_not_end_the_thread(
    publisher: Publisher, broker: redis.Redis, said: list[str]
) -> None:
    publisher.publish([cast(Ticket, {"id": 1})])
    publisher.publish([_ticket()])
    _until(lambda: _length(broker) == 1, "the next one arrives")
    assert said == ["publisher.failed"]
