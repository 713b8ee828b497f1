"""One Redis subscription for the whole process. Its messages are hints: a lost one costs latency only.

Three tasks share the connection: one reads, one sends commands, one pings after silence. If one fails, the connection is
dropped and a new one subscribes to every channel wanted by then.
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
    """Calls `on_message(channel, text)` for each message, and `on_connected()` after each new connection.

    A channel that floods is muted for a while; until it is unmuted, `on_flood(channel)` is called every _LOOK_SECONDS.
    """

    def __init__(
        self,
        url: str,
        on_message: Callable[[str, str], None],
        on_connected: Callable[[], None],
        on_flood: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._redis = open_async_redis(url)
        self._on_message, self._on_connected, self._on_flood = on_message, on_connected, on_flood
        self._floods: dict[str, Flood] = {}
        self._wanted = {f"taxiway:api:{new_id()}"}  # never empty: a subscription to nothing cannot be read
        self._changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
        self._confirmed: dict[str, asyncio.Event] = {}
        self.connected = False
        self._last_message_at = 0.0

    async def join(self, channel: str) -> None:
        """Subscribe to a channel, and wait up to _CONFIRM_SECONDS for Redis to confirm."""
        self._wanted.add(channel)
        if not self.connected:
            return
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        self._changes.put_nowait((True, channel))
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()
        except TimeoutError:
            pass  # the poll makes up for missed hints
        finally:
            self._confirmed.pop(channel, None)

    def leave(self, channel: str) -> None:
        """Unsubscribe from a channel."""
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
            self._on_connected()
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
            elif channel not in self._wanted or (flood and flood.muted):  # else a stream joined it again
                await pubsub.unsubscribe(channel)

    async def _read(self, pubsub: PubSub) -> None:
        for turn in count(1):
            if turn % _AT_ONCE == 0:
                await asyncio.sleep(0)  # reads that never block would starve the other tasks
            # Without a timeout, which would double the cost of a read.
            message = await pubsub.get_message(timeout=None)
            self._last_message_at = time.monotonic()
            if message is not None:
                self._handle(message)

    async def _look_for_silence(self, pubsub: PubSub) -> None:
        """Ping a silent connection; raises ConnectionError if it does not answer."""
        self._last_message_at = asked_at = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, max(self._last_message_at, asked_at) + _SILENCE_SECONDS - time.monotonic()))
            if time.monotonic() < self._last_message_at + _SILENCE_SECONDS:
                continue
            if asked_at > self._last_message_at:
                raise redis.ConnectionError("no answer")
            asked_at = time.monotonic()
            await pubsub.ping()

    def _handle(self, message: dict[str, Any]) -> None:
        channel = _text(message["channel"])
        if message["type"] == "message":
            flood = self._floods.get(channel) or self._floods.setdefault(channel, Flood())
            if seconds := flood.count():
                self._mute(channel, flood, seconds)
            elif not flood.muted:
                self._on_message(channel, _text(message["data"]))
        elif message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()

    def _mute(self, channel: str, flood: Flood, seconds: float) -> None:
        fact("stream.flooded", level="warning", channel=channel, seconds=seconds)
        self._changes.put_nowait((False, channel))
        self._unmute_later(channel, flood, time.monotonic() + seconds)

    def _unmute_later(self, channel: str, flood: Flood, until: float) -> None:
        if self._floods.get(channel) is not flood:
            return  # no stream wants the channel
        self._on_flood(channel)
        if time.monotonic() < until:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._unmute_later, channel, flood, until)
            return
        flood.unmute()
        self._changes.put_nowait((True, channel))

    async def stop(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
