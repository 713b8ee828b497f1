"""Hints on Redis: events after their commit, and wake-ups. No durable path ever waits for it.

Wake-ups are published directly from the calling thread if that does not block, because a slot waits for them. One thread
sends what two bounded queues hold: other wake-ups immediately, and the events of a few milliseconds together, because a round
trip costs as much as ten of them. If Redis is slow or away, the newest hints are dropped: everything that matters is in
PostgreSQL, and its readers poll as well.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

import redis

from models.runtime.direct_publish import DirectPublisher
from models.runtime.facts import fact
from models.runtime.redis_client import open_redis

PREFIX = "taxiway:"
PROMOTE = "taxiway:promote"
FREED = "taxiway:freed"  # a slot is free, and that is all: no other run waits for what has happened
CAPACITY = 10_000
BATCH = 200
GATHER_SECONDS = 0.005

Hint = tuple[tuple[str, ...], str | Mapping[str, Any]]
"""On which channels, and what: a text, or an object that becomes one."""


def run_channel(run: object) -> str:
    """Channel of one run's events."""
    return f"taxiway:run:{run}"


def tenant_channel(tenant: str, prefix: str = PREFIX) -> str:
    """Channel of all events of a tenant; installations that share a server tell their tenants apart by the prefix."""
    return f"{prefix}tenant:{tenant}"


def worker_channel(worker: object) -> str:
    """Channel that wakes a worker to look at its control requests."""
    return f"taxiway:worker:{worker}"


class Bus:
    """Sends hints from a thread of its own; `publish_event` and `wake_up` never block and never raise."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._redis = open_redis(url)
        self._express = DirectPublisher(self._redis)
        self._wakes: SimpleQueue[Hint] = SimpleQueue()
        self._events: SimpleQueue[Hint] = SimpleQueue()
        self._any, self._hurry = threading.Event(), threading.Event()
        self._stopping = False
        self._away = False
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> "Bus":
        self._thread.start()
        return self

    def publish_event(self, tenant: str, message: Mapping[str, Any]) -> None:
        """Publish an event object on its run's and its tenant's channel."""
        self._put(self._events, ((run_channel(message["runId"]), tenant_channel(tenant, self._prefix)), message))

    def wake_up(self, channel: str, text: str = "") -> None:
        """Publish a hint; dropped when too many wait."""
        if not self._express.send(channel, text):
            self._put(self._wakes, ((channel,), text))

    def stop(self, deadline: float = 1.0) -> None:
        """Send what waits, for `deadline` seconds at most."""
        self._stopping = True
        self._hurry.set()
        self._any.set()
        self._thread.join(deadline)

    def _put(self, waiting: "SimpleQueue[Hint]", hint: Hint) -> None:
        if waiting.qsize() < CAPACITY:
            waiting.put(hint)
            if waiting is self._wakes:
                self._hurry.set()
            self._any.set()

    def _run(self) -> None:
        while not self._stopping:
            self._any.wait()
            self._any.clear()
            self._gather(time.monotonic() + GATHER_SECONDS)
            self._send_all(self._events)
            self._express.read_answers()
        self._send_all(self._wakes)
        self._send_all(self._events)
        self._express.close()

    def _gather(self, until: float) -> None:
        """Wait while events gather, but send wake-ups as they come."""
        while not self._stopping and (left := until - time.monotonic()) > 0:
            if self._hurry.wait(left):
                self._hurry.clear()
                self._send_all(self._wakes)

    def _send_all(self, waiting: "SimpleQueue[Hint]") -> None:
        while batch := list(islice(_taken(waiting), BATCH)):
            self._send(batch)

    def _send(self, hints: Iterable[Hint]) -> None:
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for channels, message in hints:
                text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"), default=str)
                for channel in channels:
                    pipeline.publish(channel, text)
            pipeline.execute()
            self._express.open()
        except (redis.RedisError, OSError) as error:
            if not self._away:
                fact("redis.away", level="warning", error=type(error).__name__)
            self._away = True
        else:
            if self._away:
                fact("redis.back")
            self._away = False


def _taken(waiting: "SimpleQueue[Hint]") -> Iterator[Hint]:
    with suppress(Empty):
        while True:
            yield waiting.get_nowait()
