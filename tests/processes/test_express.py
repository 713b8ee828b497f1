"""A wake-up is sent by the thread that has it, and no trouble of the broker ever blocks that thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from models.runtime import direct_publish as module
from models.runtime.bus import FREED, Bus, open_redis
from models.runtime.direct_publish import UNANSWERED, DirectPublisher
from ops.embedded import ValkeyServer

WITHIN_S = 10


@pytest.fixture
def express(valkey: ValkeyServer) -> Iterator[DirectPublisher]:
    with open_redis(valkey.url()) as client:
        express = DirectPublisher(client)
        express.open()
        yield express
        express.close()


def listening(valkey: ValkeyServer, channel: str) -> Any:
    listener = redis.Redis.from_url(valkey.url(), decode_responses=True).pubsub(ignore_subscribe_messages=True)
    listener.subscribe(channel)
    assert listener.get_message(timeout=WITHIN_S) is None  # the answer to the subscription itself
    return listener


def heard(listener: Any) -> str:
    message = listener.get_message(timeout=WITHIN_S)
    assert message is not None
    return str(message["data"])


def test_what_is_sent_is_heard_and_its_answers_are_read_later(valkey: ValkeyServer, express: DirectPublisher) -> None:
    listener = listening(valkey, "c")
    for n in range(3 * UNANSWERED):
        assert express.send("c", str(n))
        assert heard(listener) == str(n)
        if n % UNANSWERED == UNANSWERED - 1:
            assert not express.send("c", "too much that is unanswered")
            express.read_answers()
    assert listener.get_message(timeout=0) is None


def test_before_it_is_open_everything_goes_the_slower_way(valkey: ValkeyServer) -> None:
    with open_redis(valkey.url()) as client:
        assert not DirectPublisher(client).send("c", "x")


def test_while_one_thread_uses_it_no_other_waits(express: DirectPublisher) -> None:
    with express._lock:
        assert not express.send("c", "x")
    assert express.send("c", "x")


def test_a_broker_that_answers_nothing_holds_nobody_up_and_is_soon_not_trusted(
    valkey: ValkeyServer, express: DirectPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        assert [express.send("c", "x") for _ in range(UNANSWERED + 1)] == [True] * UNANSWERED + [False]
        express.read_answers()
        assert express._connection is not None
        monkeypatch.setattr(module, "SILENCE_SECONDS", -1.0)
        express.read_answers()
        assert not express.send("c", "x")
        assert express._connection is None
    finally:
        os.kill(valkey.pid, signal.SIGCONT)
    monkeypatch.undo()
    express.open()
    assert express.send("c", "x")


def test_one_whose_answer_is_late_takes_nothing_more_until_it_was_read(
    valkey: ValkeyServer, express: DirectPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listening(valkey, "c")
    assert express.send("c", "x")
    assert heard(listener) == "x"
    with monkeypatch.context() as late:
        late.setattr(module, "SILENCE_SECONDS", -1.0)
        assert not express.send("c", "y")
    express.read_answers()
    assert express.send("c", "z")
    assert heard(listener) == "z"


def test_a_broker_that_dies_is_noticed_and_found_again(valkey: ValkeyServer, express: DirectPublisher) -> None:
    os.kill(valkey.pid, signal.SIGKILL)
    assert valkey.child is not None
    valkey.child.wait(WITHIN_S)
    while express.send("c", "lost"):  # the kernel may not have noticed it yet
        express.read_answers()
    express.read_answers()
    assert express._connection is None
    valkey.start()
    listener = listening(valkey, "c")
    express.open()
    assert express.send("c", "again")
    assert heard(listener) == "again"


def test_a_wake_up_does_not_wait_for_the_thread_that_sends_events(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, bus = listening(valkey, FREED), Bus(valkey.url()).start()
    bus.wake_up(FREED, "by the thread")
    assert heard(listener) == "by the thread"
    busy, release = threading.Event(), threading.Event()
    real = bus._send

    def hang(hints: Any) -> None:
        busy.set()
        release.wait(WITHIN_S)
        real(hints)

    monkeypatch.setattr(bus, "_send", hang)
    bus.publish_event("acme", {"runId": "r1", "seq": 1})
    assert busy.wait(WITHIN_S)
    bus.wake_up(FREED, "by express")
    assert heard(listener) == "by express"
    release.set()
    bus.stop(WITHIN_S)
