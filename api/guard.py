"""HTTP protocol for uvicorn (`--http api.guard:Guard`) that closes connections which only occupy a slot.

An application sees a request once its headers are complete, so only the protocol can end a request that never gets there.

- A connection without a request lives HEADER_SECONDS, however many bytes drip in.
- A client that reads nothing of its response has STUCK_SECONDS. A stream that waits for events has no limit.
- With too many connections, the one that has been idle longest is closed.
- Bytes before a body, or beside it (chunk sizes, trailers), are limited to MOST_HEAD: the parser keeps all of them in memory.

`api.http.body` ends slow bodies. There are no websockets.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http_connections import connections_of
from api.trusted_proxies import trusted

HEADER_SECONDS: Final = 10.0
STUCK_SECONDS: Final = 30.0
MOST_HEAD: Final = 64 << 10
"""Limit in bytes of what comes before a request's body, and beside it."""
_FRAMING: Final = 16
"""Bytes of chunk framing allowed for each byte of a body."""

_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 31\r\n"
    b"connection: close\r\n\r\nThe request head is too large.\n"
)


class Guard(HttpToolsProtocol):
    """One connection. Used on the event loop only."""

    _idle_since = 0.0
    _stuck_since: float | None = None
    _unsent = 0
    _last_cycle: Any = None
    _overhead = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Register the connection; it is closed if there are too many."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        connections_of(self.loop).admit(self, trusted(self.config.forwarded_allow_ips or ()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        connections_of(self.loop).forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes; answer 431 and close once too many come before a body, or beside it: they would fill the memory."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Start with the body."""
        self._overhead = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Read a piece of the body, which earns an allowance for its framing."""
        self._overhead = max(0, self._overhead - _FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start with the next request."""
        self._overhead = 0
        super().on_message_complete()

    def _should_upgrade_to_ws(self) -> bool:
        return False  # none exist here, and their protocol would take the connection without unregistering it

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: any client may ask for another protocol."""

    @property
    def peer(self) -> str | None:
        """The address of the client; None for a Unix socket."""
        return self.client[0] if self.client else None

    def idle_since(self, now: float) -> float | None:
        """Return since when the connection has had no request; None while one is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle_since = now
            return None
        if self.cycle is not self._last_cycle:  # another request was answered since the last check
            self._last_cycle, self._idle_since = self.cycle, now
        return self._idle_since

    def is_over(self, now: float) -> bool:
        """Return whether the connection has been idle, or stuck, for too long."""
        since = self.idle_since(now)
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        self._unsent = unsent
        stuck = self._stuck_since is not None and now > self._stuck_since + STUCK_SECONDS
        return stuck or (since is not None and now > since + HEADER_SECONDS)
