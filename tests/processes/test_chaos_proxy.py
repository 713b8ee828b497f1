"""Links between processes and servers can be blocked in the ways in which networks fail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from ops.chaos.link_loop import LinkLoop
from ops.chaos.proxy import Link, Mode, Streams

SHORT = 0.3
"""Seconds after which an answer that did not come is taken for none."""


class Echo:
    """A server that sends everything back, and knows its connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = []
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(1024):
                connection.sendall(data)
            self.ended.set()
            connection.close()

    def close(self) -> None:
        self.listener.close()
        for connection in self.open:
            connection.close()


class Way:
    """A link to an echo server, observed from outside."""

    def __init__(self, link_loop: LinkLoop, link: Link) -> None:
        self.link_loop, self.link = link_loop, link

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.link.port), timeout=5)

    def switch(self, mode: Mode) -> None:
        self.link_loop.do(self.link.switch, mode)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def way(echo: Echo) -> Iterator[Way]:
    link_loop = LinkLoop()

    async def dial() -> Streams:
        return await asyncio.open_connection("127.0.0.1", echo.port)

    yield Way(link_loop, link_loop.link(dial))
    link_loop.stop()


def answered(connection: socket.socket, word: bytes, patience: float = 5) -> bool:
    connection.settimeout(patience)
    connection.sendall(word)
    try:
        return connection.recv(1024) == word
    except TimeoutError:
        return False


def test_an_open_way_carries_both_directions_and_the_end(way: Way, echo: Echo) -> None:
    with way.connect() as connection:
        assert answered(connection, b"one")
        assert answered(connection, b"two")
        echo.open[0].shutdown(socket.SHUT_RDWR)
        assert connection.recv(1024) == b""
    with way.connect() as connection:
        assert answered(connection, b"three")
        echo.ended.clear()
    assert echo.ended.wait(5)


def test_a_stalled_way_loses_nothing(way: Way) -> None:
    with way.connect() as connection:
        assert answered(connection, b"one")
        way.switch(Mode.STALL)
        assert not answered(connection, b"two", SHORT)
        way.switch(Mode.PASS)
        connection.settimeout(5)
        assert connection.recv(1024) == b"two"


def test_a_hole_swallows_everything_and_tells_nobody(way: Way, echo: Echo) -> None:
    with way.connect() as old:
        assert answered(old, b"one")
        way.switch(Mode.HOLE)
        assert not answered(old, b"two", SHORT)
        with way.connect() as new:
            assert not answered(new, b"three", SHORT)
        old.close()
        assert not echo.ended.wait(SHORT), "the server does not learn that a client went away"


def test_what_was_open_during_a_hole_stays_dead_and_new_connections_work(way: Way) -> None:
    with way.connect() as old:
        assert answered(old, b"one")
        way.switch(Mode.HOLE)
        way.switch(Mode.PASS)
        assert not answered(old, b"two", SHORT)
        with way.connect() as new:
            assert answered(new, b"three")


def test_a_cut_resets_what_is_open_and_new_connections_work(way: Way) -> None:
    with way.connect() as old:
        assert answered(old, b"one")
        way.link_loop.do(way.link.cut)
        with pytest.raises(ConnectionResetError):
            old.recv(1024)
        with way.connect() as new:
            assert answered(new, b"two")


def test_a_server_that_is_not_there_is_a_reset_too(way: Way, echo: Echo) -> None:
    echo.close()
    with pytest.raises(ConnectionResetError), way.connect() as connection:
        connection.recv(1024)
