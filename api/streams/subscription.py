"""Keeps one Redis subscription alive for the whole process. Everything it brings is a hint: losing it costs latency.

Two tasks share the connection: one reads, one sends commands. When either fails the connection is thrown away and a new
one subscribes to every channel that is wanted by then.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from models.facts import fact
from models.ids import new_id
from models.redis_client import open_async_redis

_SILENCE_SECONDS = 5.0
_CONFIRM_SECONDS = 0.5
_LONGEST_PAUSE = 5.0


class Subscription:
    """Calls `on_message(channel, text)` for what comes, and `on_back()` when it is subscribed anew."""

    def __init__(self, url: str, on_message: Callable[[str, str], None], on_back: Callable[[], None]) -> None:
        self._redis = open_async_redis(url)
        self._on_message, self._on_back = on_message, on_back
        self._wanted = {f"taxiway:api:{new_id()}"}  # never empty: a subscription to nothing cannot be read
        self._changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
        self._confirmed: dict[str, asyncio.Event] = {}
        self.connected = False

    async def join(self, channel: str) -> None:
        """Subscribe to a channel, and wait a little until Redis has said so."""
        self._wanted.add(channel)
        if not self.connected:
            return
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        self._changes.put_nowait((True, channel))
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()
        except TimeoutError:
            pass  # the poll sees what is missed
        finally:
            self._confirmed.pop(channel, None)

    def leave(self, channel: str) -> None:
        """Subscribe to a channel no longer."""
        self._wanted.discard(channel)
        if self.connected:
            self._changes.put_nowait((False, channel))

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        pause = 0.2
        while True:
            try:
                await self._connected_once()
            except* (RedisError, OSError) as group:
                if self.connected or pause == 0.2:
                    fact("redis.away", level="warning", error=type(group.exceptions[0]).__name__)
                pause = 0.2 if self.connected else min(_LONGEST_PAUSE, pause * 2)
                self.connected = False
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))

    async def _connected_once(self) -> None:
        pubsub = self._redis.pubsub()
        try:
            self._changes = asyncio.Queue()
            await pubsub.subscribe(*self._wanted)
            self.connected = True
            fact("redis.subscribed", channels=len(self._wanted))
            self._on_back()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(pubsub))
                tasks.create_task(self._read(pubsub))
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis leaves it untyped

    async def _send(self, pubsub: PubSub) -> None:
        while True:
            join, channel = await self._changes.get()
            if join:
                await pubsub.subscribe(channel)
            elif channel not in self._wanted:  # joined again meanwhile
                await pubsub.unsubscribe(channel)

    async def _read(self, pubsub: PubSub) -> None:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=_SILENCE_SECONDS)
            if message is not None:
                asked = False
                self._heard(message)
            elif asked:
                raise redis.ConnectionError("no answer")
            else:
                asked = True
                await pubsub.ping()

    def _heard(self, message: dict[str, Any]) -> None:
        channel = _text(message["channel"])
        if message["type"] == "message":
            self._on_message(channel, _text(message["data"]))
        elif message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()

    async def stop(self) -> None:
        """Close what is open."""
        await self._redis.aclose()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
