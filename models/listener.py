"""Hears hints on a Redis channel in a thread of its own; whoever listens polls as well, so a lost hint costs latency only."""

import threading
import time
from collections.abc import Callable

import redis

from models.bus import open_redis

BACK_OFF_SECONDS = 2.0


class Listener:
    """Calls `heard` for each message on the channel; reconnects by itself, and says nothing: the renewal is the net."""

    def __init__(self, url: str, channel: Callable[[], str], heard: Callable[[], None]) -> None:
        self._url, self._channel, self._heard = url, channel, heard
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
        channel = self._channel()
        with open_redis(self._url) as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(channel)
            while not self._stopping and channel == self._channel():
                if subscription.get_message(timeout=1.0):
                    self._heard()
