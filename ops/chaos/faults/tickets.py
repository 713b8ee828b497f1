"""Faults of single tickets: a thief consumes beside the workers, and loses, doubles, delays and reorders tickets."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import ClassVar

import redis

from models.runtime.celery_settings import DEFAULT_QUEUE
from models.runtime.redis_client import open_redis
from models.runtime.settings import Settings
from ops.chaos.faults.fault import Fault, World
from ops.chaos.journal import Incident

PREFIX: str = Settings.model_fields["redis_prefix"].default


class DropTickets(Fault):
    name, weight = "drop_tickets", 1.5
    costs = "Time: they are published again, with the same epoch."
    lasts: ClassVar[tuple[float, float]] = (1, 3)

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.taken = 0

    def strike(self, world: World) -> Incident | None:
        self._over.clear()
        self.taken = 0
        incident = world.journal.strike(Incident(self.name, "tickets"))
        self._thread = threading.Thread(target=self._steal, args=(world.cluster.stack.redis_url,), daemon=True)
        self._thread.start()
        return incident

    def heal(self, world: World, incident: Incident) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join(30)
        incident.note = f"{self.taken} tickets"

    def pass_on(self, client: redis.Redis, key: str, ticket: bytes) -> None:
        """Handle a stolen ticket; by default it is lost."""

    def give_back(self, client: redis.Redis, key: str) -> None:
        """Return the kept tickets at the end."""

    def _steal(self, url: str) -> None:
        key = f"{PREFIX}{DEFAULT_QUEUE}"
        with open_redis(url) as client:
            while not self._over.is_set():
                try:
                    found = client.brpop([key], timeout=0.2)
                    if isinstance(found, (list, tuple)):
                        self.taken += 1
                        self.pass_on(client, key, found[1])
                except redis.RedisError:  # another fault is restarting it
                    time.sleep(0.2)
            try:
                self.give_back(client, key)
            except redis.RedisError:
                return  # then they are lost, which is allowed too


class DoubleTickets(DropTickets):
    name = "double_tickets"
    costs = "Nothing: an epoch is claimed once."
    lasts: ClassVar[tuple[float, float]] = (2, 4)

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def pass_on(self, client: redis.Redis, key: str, ticket: bytes) -> None:
        message = json.loads(ticket)
        tag = message["properties"]["delivery_tag"]
        client.lpush(key, ticket)
        if tag in self._seen:  # it came back to this thief: one repetition is enough
            time.sleep(0.02)
            return
        message["properties"]["delivery_tag"] = again = str(uuid.uuid4())
        self._seen |= {tag, again}
        client.lpush(key, json.dumps(message))


class DelayTickets(DropTickets):
    name = "delay_tickets"
    costs = "Time: a late ticket finds its run claimed by a later one, or claims it itself."
    lasts: ClassVar[tuple[float, float]] = (3, 12)

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    def pass_on(self, client: redis.Redis, key: str, ticket: bytes) -> None:
        self._kept.append(ticket)

    def give_back(self, client: redis.Redis, key: str) -> None:
        for ticket in self._kept:  # the last one first
            client.rpush(key, ticket)
        self._kept.clear()
