"""Publishes hints on Redis: events after their commit, and wake-ups. No durable path ever waits for it.

One thread sends what a bounded queue holds: the first hint after a rest at once, those of a busy time a few milliseconds'
worth together, because a round trip costs as much as ten hints. When Redis is slow or away the newest hints are dropped,
because everything that matters is in PostgreSQL and its readers poll as well.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import redis

from models.facts import fact

PROMOTE = "taxiway:promote"
CAPACITY = 10_000
BATCH = 200
GATHER_SECONDS = 0.005


def run_channel(run: object) -> str:
    """Channel of one run's events."""
    return f"taxiway:run:{run}"


def tenant_channel(tenant: str) -> str:
    """Channel of all events of a tenant."""
    return f"taxiway:tenant:{tenant}"


def worker_channel(worker: object) -> str:
    """Channel that wakes a worker to look at its control requests."""
    return f"taxiway:worker:{worker}"


def open_redis(url: str) -> "redis.Redis":
    """Open a client whose calls fail within seconds instead of hanging on a half-open connection."""
    return redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=5, socket_keepalive=True, health_check_interval=10
    )


class Bus:
    """Sends hints from a thread of its own; `say` and `wake` never block and never raise."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url)
        self._waiting: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._away = False
        self._urgent = threading.Event()  # a slot waits: such a hint is not held back until others have gathered
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> "Bus":
        self._thread.start()
        return self

    def say(self, tenant: str, message: Mapping[str, Any]) -> None:
        """Publish an event object on its run's and its tenant's channel."""
        text = json.dumps(message, separators=(",", ":"))
        self.wake(run_channel(message["runId"]), text)
        self.wake(tenant_channel(tenant), text)

    def wake(self, channel: str, text: str = "") -> None:
        """Publish a hint; dropped when too many wait."""
        if self._waiting.qsize() < CAPACITY:
            self._waiting.put((channel, text))
            if channel == PROMOTE:
                self._urgent.set()

    def stop(self, deadline: float = 1.0) -> None:
        """Send what waits, for `deadline` seconds at most."""
        self._waiting.put(None)
        self._thread.join(deadline)

    def _run(self) -> None:
        going = True
        while going:
            batch = self._take()
            going = batch[-1] is not None
            self._send([hint for hint in batch if hint])
            if going:
                self._urgent.wait(GATHER_SECONDS)

    def _take(self) -> list[tuple[str, str] | None]:
        batch = [self._waiting.get()]
        self._urgent.clear()
        while len(batch) < BATCH and batch[-1] is not None:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return batch

    def _send(self, hints: Iterable[tuple[str, str]]) -> None:
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for channel, text in hints:
                pipeline.publish(channel, text)
            pipeline.execute()
        except (redis.RedisError, OSError) as error:
            if not self._away:
                fact("redis.away", level="warning", error=type(error).__name__)
            self._away = True
        else:
            if self._away:
                fact("redis.back")
            self._away = False
