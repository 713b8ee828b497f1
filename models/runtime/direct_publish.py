"""Publishing of a wake-up from the calling thread, as long as the socket takes it without blocking: a free slot waits for it.

No thread waits for Redis here. What is sent but unanswered is far less than a socket holds, so that sending cannot block;
the answers are read later, by a thread that has time. If the socket may block, the caller takes the slower way.
"""

import threading
import time
from typing import Any

import redis

UNANSWERED = 64
SILENCE_SECONDS = 1.0  # a connection that owes an answer for longer is not trusted


class DirectPublisher:
    """One connection of a client, used by any thread that has something urgent to publish."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._connection: Any = None
        self._lock = threading.Lock()
        self._unanswered = 0
        self._heard_at = 0.0

    def open(self) -> None:
        """Connect, unless that is done; raises what redis raises."""
        if self._connection is None:
            connection = self._client.connection_pool.get_connection()
            with self._lock:
                self._connection = connection

    def send(self, channel: str, text: str) -> bool:
        """Publish a message and return whether that succeeded; never blocks."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            connection = self._connection
            if connection is None or self._unanswered >= UNANSWERED or self._silent():
                return False
            packed = connection.pack_command("PUBLISH", channel, text)
            connection.send_packed_command(packed, check_health=False)
            self._heard_at = self._heard_at if self._unanswered else time.monotonic()
            self._unanswered += 1
        except (redis.RedisError, OSError):
            self._drop()
            return False
        finally:
            self._lock.release()
        return True

    def read_answers(self) -> None:
        """Read the answers that have come; a connection that still owes one for too long is given up."""
        with self._lock:
            try:
                while self._unanswered and self._connection.can_read(0):
                    self._connection.read_response()
                    self._unanswered -= 1
                    self._heard_at = time.monotonic()
                if self._silent():
                    self._drop()
            except (redis.RedisError, OSError):
                self._drop()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _silent(self) -> bool:
        return self._unanswered > 0 and time.monotonic() - self._heard_at > SILENCE_SECONDS

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._client.connection_pool.release(self._connection)
            self._connection, self._unanswered = None, 0
