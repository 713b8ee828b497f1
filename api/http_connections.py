"""The open HTTP connections of an event loop, with their limits per client and in total."""

import asyncio
import resource
from collections import Counter
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from api.trusted_proxies import Trusted
from models.runtime.settings import settings

SWEEP_SECONDS: Final = 1.0
SPARE_FILES: Final = 200
"""Open files kept for everything except connections."""


class Connection(Protocol):
    """An open connection, as `api.guard.Guard` implements it."""

    transport: asyncio.Transport

    @property
    def peer(self) -> str | None:
        """The address of the client; None for a Unix socket."""

    def idle_since(self, now: float) -> float | None:
        """Return since when the connection has had no request; None while one is answered."""

    def is_over(self, now: float) -> bool:
        """Return whether the connection has been idle, or stuck, for too long."""


class Connections:
    """The connections of one event loop, checked every second."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: set[Connection] = set()
        self._peers: Counter[str | None] = Counter()
        self._most = min(settings().http_connections, _raise_file_limit() - SPARE_FILES)
        self._most_per_peer = settings().http_connections_per_peer
        self._sweeping = False

    def admit(self, connection: Connection, proxies: Trusted) -> None:
        """Register a connection. One too many of its peer is closed; one too many of all closes the one idle longest."""
        self._open.add(connection)
        self._peers[connection.peer] += 1
        if self._peers[connection.peer] > self._most_per_peer and connection.peer not in proxies:
            connection.transport.abort()
        elif len(self._open) > self._most:
            self._longest_idle(connection).transport.abort()
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Unregister a closed connection."""
        if connection in self._open:
            self._open.discard(connection)
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]

    def _longest_idle(self, newest: Connection) -> Connection:
        now = self._loop.time()
        idle = (
            (since, id(connection), connection)
            for connection in self._open
            if (since := connection.idle_since(now)) is not None
        )
        return min(idle, default=(now, 0, newest))[2]

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in [connection for connection in self._open if connection.is_over(now)]:
            connection.transport.abort()
        self._sweeping = bool(self._open)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)


def _raise_file_limit() -> int:
    """Return how many files the process may open, after raising that limit as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings().http_connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


_of_loops: "WeakKeyDictionary[asyncio.AbstractEventLoop, Connections]" = WeakKeyDictionary()


def connections_of(loop: asyncio.AbstractEventLoop) -> Connections:
    """Return the connections of this event loop."""
    if (found := _of_loops.get(loop)) is None:
        found = _of_loops[loop] = Connections(loop)
    return found
