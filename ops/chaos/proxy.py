"""Proxy link to a server that can be blocked: bytes are dropped or delayed, or connections are reset.

    pass ──► stall (bytes wait, then continue)
         ──► hole  (bytes vanish silently; connections of that time stay dead for ever, as behind a lost NAT entry)
         ──► cut   (all connections are reset; new ones work)

During a hole, new connections are accepted and never answered, which looks like lost packets.
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
    """One process's link to one server; all methods except `port` are used by the loop's thread only."""

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
        """Stop listening and reset all connections."""
        if self._server:
            self._server.close()
        self.cut()

    def switch(self, mode: Mode) -> None:
        """Set the mode for all further bytes."""
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
        except (OSError, asyncio.CancelledError):  # no server, a lost connection, or a stop: close the other side too
            pair.abort()
        finally:
            self._pairs.discard(pair)

    async def _carry(self, pair: Pair) -> None:
        if pair.far is None:
            await self._pump(pair, pair.near[0], None)
            pair.abort()
            return
        ways = [self._pump(pair, pair.near[0], pair.far[1]), self._pump(pair, pair.far[0], pair.near[1])]
        # Both must end: each side of a dead pair ends without notice to the other.
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
