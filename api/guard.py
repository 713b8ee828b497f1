"""The API's HTTP protocol of uvicorn (`--http api.guard:Guard`): a connection that only holds a place is closed.

An application sees a request when its headers are whole, so only the protocol can end one that never gets there. A connection
without a request has HEADER_SECONDS, whatever bytes drip in; a client that reads nothing of its answer has STUCK_SECONDS. A
stream that waits for events has as long as it wants. Where there are too many connections, the one that has been without a
request for longest gives way. A slow body is `api.http.body`'s to end. What comes before a body, or beside it, has MOST_HEAD
bytes: the parser keeps it in memory, however much it is. There are no websockets.
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
"""Bytes that may come before a request's body, and beside it."""
_FRAMING: Final = 16
"""Bytes that may come beside each byte of a body: the sizes of chunks."""
SWEEP_SECONDS: Final = 1.0
SPARE_FILES: Final = 200
"""Files that the process needs for all else."""


_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 30\r\n"
    b"connection: close\r\n\r\nThe head of this is too long.\n"
)


class Guard(HttpToolsProtocol):
    """One connection. Used on the event loop only."""

    _rests_since = 0.0
    _stuck_since: float | None = None
    _unsent = 0
    _known: Any = None
    _beside = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take the place of a connection, if there is one."""
        super().connection_made(transport)
        self._rests_since = self.loop.time()
        _sweeper(self.loop).admit(self, trusted(self.config.forwarded_allow_ips or ()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        _sweeper(self.loop).forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes without end before a body, or beside it, would fill the memory, and ends the connection."""
        self._beside += len(data)
        super().data_received(data)
        if self._beside > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin with the body."""
        self._beside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, which pays for what came beside it."""
        self._beside = max(0, self._beside - _FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin with the next request."""
        self._beside = 0
        super().on_message_complete()

    def _should_upgrade_to_ws(self) -> bool:
        return False  # there is none here, and its protocol would take the connection without giving its place back

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anybody may ask for another protocol."""

    @property
    def peer(self) -> str | None:
        """The address at the other end; none of a socket file."""
        return self.client[0] if self.client else None

    def rests_since(self, now: float) -> float | None:
        """Return since when the connection has been without a request; None while one is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._rests_since = now
            return None
        if self.cycle is not self._known:  # another request was answered since the last look
            self._known, self._rests_since = self.cycle, now
        return self._rests_since

    def is_over(self, now: float) -> bool:
        """Return whether the connection has held its place for too long."""
        since = self.rests_since(now)
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        self._unsent = unsent
        stuck = self._stuck_since is not None and now > self._stuck_since + STUCK_SECONDS
        return stuck or (since is not None and now > since + HEADER_SECONDS)


class _Sweeper:
    """The connections of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._guards: set[Guard] = set()
        self._peers: Counter[str | None] = Counter()
        self._most = min(settings().http_connections, _files() - SPARE_FILES)
        self._most_per_peer = settings().http_connections_per_peer
        self._sweeping = False

    def admit(self, guard: Guard, proxies: "Trusted") -> None:
        """Take in a connection; one too many of its peer is closed, one too many of all closes that which rests longest."""
        self._guards.add(guard)
        self._peers[guard.peer] += 1
        if self._peers[guard.peer] > self._most_per_peer and guard.peer not in proxies:
            guard.transport.abort()
        elif len(self._guards) > self._most:
            self._longest_at_rest(guard).transport.abort()
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def forget(self, guard: Guard) -> None:
        """Note that a connection is gone."""
        if guard in self._guards:
            self._guards.discard(guard)
            self._peers[guard.peer] -= 1
            if not self._peers[guard.peer]:
                del self._peers[guard.peer]

    def _longest_at_rest(self, newest: Guard) -> Guard:
        now = self._loop.time()
        resting = ((since, id(guard), guard) for guard in self._guards if (since := guard.rests_since(now)) is not None)
        return min(resting, default=(now, 0, newest))[2]

    def _sweep(self) -> None:
        now = self._loop.time()
        for guard in [guard for guard in self._guards if guard.is_over(now)]:
            guard.transport.abort()
        self._sweeping = bool(self._guards)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)


class Trusted:
    """The addresses of proxies, which stand for many clients."""

    def __init__(self, given: Iterable[str]) -> None:
        self._all = "*" in given
        self._networks = [ip_network(one, strict=False) for one in given if _is_network(one)]

    def __contains__(self, peer: object) -> bool:
        if peer is None or self._all:
            return True
        address = ip_address(str(peer))
        return any(address in network for network in self._networks)


def trusted(given: str | Iterable[str]) -> Trusted:
    """Read what uvicorn's `--forwarded-allow-ips` says."""
    return Trusted([one.strip() for one in given.split(",")] if isinstance(given, str) else list(given))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _files() -> int:
    """Return how many files the process may open, raised as far as it may be."""
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
