"""Kombu's channels of Redis and of Redis behind sentinels, mended in three places.

Tickets are acknowledged, and returned, on the channel on which they came. When its connection has been closed by then,
kombu fails with an AttributeError, because the connection has no address any more; Celery takes that for a fault of the
program and ends the worker. Here it is what it is: a lost connection, which is opened again.

And kombu builds a client for each acknowledgement; here a channel keeps its client, which only borrows connections from
the channel's pool. Building them took a twelfth of a busy worker's time.

And kombu tries to put tickets that were delivered back into a broker that is gone, then saves them in a file of the
temporary folder. They need no saving: a ticket that nobody claims is published again.
"""

from typing import Any

from kombu.transport import redis as transport
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.retry import Retry


class _Mended:
    """What both of kombu's channels to Redis are mended with."""

    do_restore = False
    _kept_client: Any = None

    def _connparams(self, asynchronous: bool = False) -> Any:
        connection = getattr(self, "connection", None)
        if connection is None or connection.client is None:
            raise ConnectionLost("the connection to the broker was closed")
        return super()._connparams(asynchronous)  # type: ignore[misc]  # of the channel that this is mixed into

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # as above
        if self._kept_client is None:
            self._kept_client = super()._create_client()  # type: ignore[misc]  # as above
        return self._kept_client


class Channel(_Mended, transport.Channel):
    """The channel of one server."""


class SentinelChannel(_Mended, transport.SentinelChannel):
    """The channel of a master that sentinels name; a sentinel that is away is passed over without trying again."""

    sentinel_kwargs: Any = None

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        self.sentinel_kwargs = {**(self.sentinel_kwargs or {}), "retry": Retry(NoBackoff(), 0)}
        return super()._sentinel_managed_pool(asynchronous)  # type: ignore[no-untyped-call]  # kombu is untyped


def install() -> None:
    """Make all connections to Redis use these channels."""
    transport.Transport.Channel = Channel
    transport.SentinelTransport.Channel = SentinelChannel
