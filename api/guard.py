"""HTTP protocol for uvicorn (`--http api.guard:Guard`) that closes connections which only occupy a slot.

An application sees a request once its headers are complete, so only the protocol can end a request that never gets there.

- A connection without a request lives HEADER_SECONDS, however many bytes drip in.
- A client that reads nothing of its response has STUCK_SECONDS. A stream that waits for events has no limit.
- With too many connections, the one that has been idle longest is closed.
- Bytes before a body, or beside it (chunk sizes, trailers), are limited to MOST_HEAD: the parser keeps all of them in memory.

`api.http.body` ends slow bodies. There are no websockets.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any, Final
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.runtime.settings import settings

HEADER_SECONDS: Final = 10.0
STUCK_SECONDS: Final = 30.0
MOST_HEAD: Final = 64 << 10
"""Limit in bytes of what comes before a request's body, and beside it."""
_FRAMING: Final = 16
"""Bytes of chunk framing allowed for each byte of a body."""
SWEEP_SECONDS: Final = 1.0
SPARE_FILES: Final = 200
"""Open files kept for everything except connections."""


_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 31\r\n"
    b"connection: close\r\n\r\nThe request head is too large.\n"
)


class Guard(HttpToolsProtocol):
    """One connection. Used on the event loop only."""

    _idle_since = 0.0
    _stuck_since: float | None = None
    _unsent = 0
    _known: Any = None
    _beside = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Register the connection; it is closed if there are too many."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        _sweeper(self.loop).admit(self, trusted(self.config.forwarded_allow_ips or ()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        _sweeper(self.loop).forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes; answer 431 and close once too many come before a body, or beside it: they would fill the memory."""
        self._beside += len(data)
        super().data_received(data)
        if self._beside > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Start with the body."""
        self._beside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Read a piece of the body, which earns an allowance for its framing."""
        self._beside = max(0, self._beside - _FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Start with the next request."""
        self._beside = 0
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
        if self.cycle is not self._known:  # another request was answered since the last check
            self._known, self._idle_since = self.cycle, now
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


class _Sweeper:
    """The connections of one event loop, checked every second."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._guards: set[Guard] = set()
        self._peers: Counter[str | None] = Counter()
        self._most = min(settings().http_connections, _raise_file_limit() - SPARE_FILES)
        self._most_per_peer = settings().http_connections_per_peer
        self._sweeping = False

    def admit(self, guard: Guard, proxies: "Trusted") -> None:
        """Register a connection. One too many of its peer is closed; one too many of all closes the one idle longest."""
        self._guards.add(guard)
        self._peers[guard.peer] += 1
        if self._peers[guard.peer] > self._most_per_peer and guard.peer not in proxies:
            guard.transport.abort()
        elif len(self._guards) > self._most:
            self._longest_idle(guard).transport.abort()
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def forget(self, guard: Guard) -> None:
        """Unregister a closed connection."""
        if guard in self._guards:
            self._guards.discard(guard)
            self._peers[guard.peer] -= 1
            if not self._peers[guard.peer]:
                del self._peers[guard.peer]

    def _longest_idle(self, newest: Guard) -> Guard:
        now = self._loop.time()
        idle = ((since, id(guard), guard) for guard in self._guards if (since := guard.idle_since(now)) is not None)
        return min(idle, default=(now, 0, newest))[2]

    def _sweep(self) -> None:
        now = self._loop.time()
        for guard in [guard for guard in self._guards if guard.is_over(now)]:
            guard.transport.abort()
        self._sweeping = bool(self._guards)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)


class Trusted:
    """The addresses of proxies, which carry many clients each."""

    def __init__(self, given: Iterable[str]) -> None:
        self._all = "*" in given
        self._networks = [ip_network(one, strict=False) for one in given if _is_network(one)]

    def __contains__(self, peer: object) -> bool:
        if peer is None or self._all:
            return True
        address = ip_address(str(peer))
        return any(address in network for network in self._networks)


def trusted(given: str | Iterable[str]) -> Trusted:
    """Return the proxies that uvicorn's `--forwarded-allow-ips` names."""
    return Trusted([one.strip() for one in given.split(",")] if isinstance(given, str) else list(given))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _raise_file_limit() -> int:
    """Return how many files the process may open, after raising that limit as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings().http_connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


_sweepers: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Sweeper]" = WeakKeyDictionary()


def _sweeper(loop: asyncio.AbstractEventLoop) -> _Sweeper:
    if (found := _sweepers.get(loop)) is None:
        found = _sweepers[loop] = _Sweeper(loop)
    return found
