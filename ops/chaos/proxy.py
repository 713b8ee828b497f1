"""Ways to a server that can be blocked: bytes swallowed, held back, or the connections reset.

    pass ──► stall (bytes wait, then go on)
         ──► hole  (bytes vanish and nobody is told; what was open then stays dead for ever, as behind a lost NAT entry)
         ──► cut   (all connections are reset; new ones are welcome)

While there is a hole new connections are accepted and never answered, which is what a lost packet looks like from above.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import StrEnum

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 1 << 16


class Mode(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    STALL = "stall"
    HOLE = "hole"


class Pair:
    """One connection and its counterpart at the server."""

    def __init__(self, near: Streams, far: Streams | None) -> None:
        self.near, self.far = near, far
        self.dead = far is None

    def abort(self) -> None:
        for streams in filter(None, (self.near, self.far)):
            _reset(streams[1])


class Link:
    """One process's way to one server; all methods but `port` belong to the loop's thread."""

    def __init__(self, dial: Callable[[], Awaitable[Streams]]) -> None:
        self._dial = dial
        self._pairs: set[Pair] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._mode = Mode.PASS
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no longer and reset what is open."""
        if self._server:
            self._server.close()
        self.cut()

    def switch(self, mode: Mode) -> None:
        """Change how bytes are treated from now on."""
        self._mode = mode
        if mode is Mode.HOLE:
            for pair in self._pairs:
                pair.dead = True
        self._open.clear() if mode is Mode.STALL else self._open.set()

    def cut(self) -> None:
        """Reset all connections."""
        for pair in list(self._pairs):
            pair.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = Pair((reader, writer), None)
        self._pairs.add(pair)
        try:
            await self._open.wait()
            if self._mode is not Mode.HOLE:
                pair.far = await self._dial()
                pair.dead = False
            await self._carry(pair)
        except (OSError, asyncio.CancelledError):  # nobody there, gone, or we stop: let the other side know
            pair.abort()
        finally:
            self._pairs.discard(pair)

    async def _carry(self, pair: Pair) -> None:
        if pair.far is None:
            await self._pump(pair, pair.near[0], None)
            pair.abort()
            return
        ways = [self._pump(pair, pair.near[0], pair.far[1]), self._pump(pair, pair.far[0], pair.near[1])]
        # Both must end: of a dead pair each side goes without the other's knowing.
        await asyncio.gather(*ways, return_exceptions=True)
        pair.abort()

    async def _pump(self, pair: Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter | None) -> None:
        try:
            while data := await source.read(CHUNK):
                await self._open.wait()
                if sink is not None and not pair.dead:
                    sink.write(data)
                    await sink.drain()
        finally:
            if sink is not None and not pair.dead:
                sink.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, AttributeError):
        sock: socket.socket = writer.get_extra_info("socket")
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
