"""Subscription to hints on Redis channels, in a thread of its own. Its owner polls as well: a lost hint costs latency only.

A subscription whose network vanished receives nothing, and so does one for which there are no messages. So a silent one
gets a ping, and one that does not answer is replaced: otherwise its owner would poll for ever.
"""

import threading
import time
from collections.abc import Callable, Sequence

import redis

from models.runtime.redis_client import open_redis

BACK_OFF_SECONDS = 2.0
SILENCE_SECONDS = 5.0


class Listener:
    """Calls `heard` with the channel of each message; reconnects by itself, and says nothing: the renewal is the net."""

    def __init__(self, url: str, channels: Callable[[], Sequence[str]], heard: Callable[[str], None]) -> None:
        self._url, self._channels, self._heard = url, channels, heard
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._listen()
            except (redis.RedisError, OSError):
                time.sleep(BACK_OFF_SECONDS)

    def _listen(self) -> None:
        channels = self._channels()
        with open_redis(self._url) as client, client.pubsub() as subscription:
            subscription.subscribe(*channels)
            heard_at, asked = time.monotonic(), False
            while not self._stopping and channels == self._channels():
                message = subscription.get_message(timeout=1.0)
                if message is not None:
                    heard_at, asked = time.monotonic(), False
                    if message["type"] == "message":
                        self._heard(message["channel"].decode())
                elif time.monotonic() > heard_at + 2 * SILENCE_SECONDS:
                    raise redis.ConnectionError("no answer")
                elif not asked and time.monotonic() > heard_at + SILENCE_SECONDS:
                    subscription.ping()
                    asked = True
