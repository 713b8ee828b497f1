"""Kombu's Redis transport with one client per channel instead of one per acknowledgement.

The client only borrows connections from the channel's pool, so keeping it changes nothing but the cost: building one took
a twelfth of a busy worker's time.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """A channel that keeps its client."""

    _kept_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]  # kombu is untyped
        if self._kept_client is None:
            self._kept_client = super()._create_client()  # type: ignore[no-untyped-call]  # as above
        return self._kept_client


class Transport(redis.Transport):
    """The transport of `redis://` and `rediss://` addresses in a worker."""

    Channel = Channel


def use() -> None:
    """Have every Redis connection of this process use it."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
