"""Kombu's Redis channel, mended in three places.

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
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(transport.Channel):
    """kombu's own, which says so when its connection is gone, and keeps its client."""

    do_restore = False
    _kept_client: Any = None

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionLost("the connection to the broker was closed")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]  # kombu is untyped

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]  # as above
        if self._kept_client is None:
            self._kept_client = super()._create_client()  # type: ignore[no-untyped-call]  # as above
        return self._kept_client


def install() -> None:
    """Have all connections to Redis use it."""
    transport.Transport.Channel = Channel
