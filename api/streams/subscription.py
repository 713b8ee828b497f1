"""Keeps one Redis subscription alive for the whole process. Everything it brings is a hint: losing it costs latency.

Three tasks share the connection: one reads, one sends commands, one asks when it is silent. When one fails the connection is
thrown away and a new one subscribes to every channel that is wanted by then.
"""

import asyncio
import random
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import redis.asyncio as redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from api.streams.flood import Flood
from models.ids import new_id
from models.runtime.facts import fact
from models.runtime.redis_client import open_async_redis

_SILENCE_SECONDS = 5.0
_CONFIRM_SECONDS = 0.5
_LONGEST_PAUSE = 5.0
_LOOK_SECONDS = 0.25
_AT_ONCE = 50


class Subscription:
    """Calls `on_message(channel, text)` for what comes, and `on_back()` when it is subscribed anew.

    A channel that floods is left for a while; `on_flood(channel)` is called when it is left, again and again until it is heard.
    """

    def __init__(
        self,
        url: str,
        on_message: Callable[[str, str], None],
        on_back: Callable[[], None],
        on_flood: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._redis = open_async_redis(url)
        self._on_message, self._on_back, self._on_flood = on_message, on_back, on_flood
        self._floods: dict[str, Flood] = {}
        self._wanted = {f"taxiway:api:{new_id()}"}  # never empty: a subscription to nothing cannot be read
        self._changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
        self._confirmed: dict[str, asyncio.Event] = {}
        self.connected = False
        self._heard_at = 0.0

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
        self._floods.pop(channel, None)
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
                tasks.create_task(self._look_for_silence(pubsub))
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis leaves it untyped

    async def _send(self, pubsub: PubSub) -> None:
        while True:
            join, channel = await self._changes.get()
            flood = self._floods.get(channel)
            if join:
                await pubsub.subscribe(channel)
            elif channel not in self._wanted or (flood and flood.left):  # else joined again meanwhile
                await pubsub.unsubscribe(channel)

    async def _read(self, pubsub: PubSub) -> None:
        for turn in count(1):
            if turn % _AT_ONCE == 0:
                await asyncio.sleep(0)  # while there is something to read, nothing else waits for it
            # Without a time limit, which would cost as much again as the reading.
            message = await pubsub.get_message(timeout=None)
            self._heard_at = time.monotonic()
            if message is not None:
                self._heard(message)

    async def _look_for_silence(self, pubsub: PubSub) -> None:
        """Ask a subscription that hears nothing; raises ConnectionError when it does not answer."""
        self._heard_at = asked_at = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, max(self._heard_at, asked_at) + _SILENCE_SECONDS - time.monotonic()))
            if time.monotonic() < self._heard_at + _SILENCE_SECONDS:
                continue
            if asked_at > self._heard_at:
                raise redis.ConnectionError("no answer")
            asked_at = time.monotonic()
            await pubsub.ping()

    def _heard(self, message: dict[str, Any]) -> None:
        channel = _text(message["channel"])
        if message["type"] == "message":
            flood = self._floods.get(channel) or self._floods.setdefault(channel, Flood())
            if seconds := flood.hear():
                self._leave_for_a_while(channel, flood, seconds)
            elif not flood.left:
                self._on_message(channel, _text(message["data"]))
        elif message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()

    def _leave_for_a_while(self, channel: str, flood: Flood, seconds: float) -> None:
        fact("stream.flooded", level="warning", channel=channel, seconds=seconds)
        self._changes.put_nowait((False, channel))
        self._look_again(channel, flood, time.monotonic() + seconds)

    def _look_again(self, channel: str, flood: Flood, until: float) -> None:
        if self._floods.get(channel) is not flood:
            return  # nobody wants it any more
        self._on_flood(channel)
        if time.monotonic() < until:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look_again, channel, flood, until)
            return
        flood.again()
        self._changes.put_nowait((True, channel))

    async def stop(self) -> None:
        """Close what is open."""
        await self._redis.aclose()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
