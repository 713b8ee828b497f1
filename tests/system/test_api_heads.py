"""The part of a request before and beside its body is bounded, and a request for another protocol keeps no place."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest

from api.guard import MOST_HEAD
from tests.system.api_server import ApiServer

PER_PEER = 5
BEGINNING = b"GET /health HTTP/1.1\r\nhost: x\r\n"
CHUNKED = b"POST /v1/runs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"
WEBSOCKET = (
    BEGINNING + b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ENDLESS = {
    "a value": (BEGINNING + b"x-a: ", b"a" * 1000),
    "headers": (BEGINNING, b"x-a: b\r\n" * 125),
    "an address": (b"GET /", b"a" * 1000),
    "trailers": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", b"x-a: b\r\n" * 125),
    "a trailer": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\nx-a: ", b"a" * 1000),
    "what comes beside a chunk": (CHUNKED + b"\r\n2;a=", b"a" * 1000),
}


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    """Return settings under which this machine is not a proxy, and has few connections."""
    return {"FORWARDED_ALLOW_IPS": "192.0.2.1", "TAXIWAY_HTTP_CONNECTIONS_PER_PEER": str(PER_PEER)}


@pytest.fixture
def line(api: ApiServer) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", api.port), timeout=10)) as line:
        yield line


def _rest(line: socket.socket) -> bytes:
    """Return everything until the other end closes the connection."""
    came = b""
    with suppress(ConnectionResetError):
        while piece := line.recv(65536):
            came += piece
    return came


@pytest.mark.parametrize("what", ENDLESS)
def test_a_head_that_does_not_end_is_refused(api: ApiServer, line: socket.socket, what: str) -> None:
    beginning, piece = ENDLESS[what]
    line.sendall(beginning)
    with suppress(ConnectionError):
        for _ in range(100 * MOST_HEAD // len(piece)):
            line.sendall(piece)
        line.shutdown(socket.SHUT_WR)
        pytest.fail("all of it was taken")
    assert _rest(line).startswith((b"HTTP/1.1 431 ", b""))


def test_a_head_that_is_only_a_little_too_long_is_told_so(line: socket.socket) -> None:
    line.sendall(BEGINNING + b"x-a: " + b"a" * MOST_HEAD)
    assert _rest(line).startswith(b"HTTP/1.1 431 ")


def test_a_head_of_half_the_length_is_taken_again_and_again_on_one_connection(acme: httpx.Client) -> None:
    for _ in range(5):
        assert acme.get("/health", headers={"x-a": "a" * (MOST_HEAD // 2)}).status_code == 200


def test_a_body_in_the_smallest_chunks_is_taken(line: socket.socket, acme: httpx.Client) -> None:
    key = acme.headers["x-api-key"].encode()
    body = b"1\r\n \r\n" * MOST_HEAD + b"2\r\n{}\r\n0\r\n\r\n"
    line.sendall(CHUNKED + b"x-api-key: " + key + b"\r\n\r\n" + body)
    assert line.recv(65536).startswith(b"HTTP/1.1 400 ")  # read to its end: it names no agent


def test_who_asks_for_a_websocket_is_answered_and_keeps_no_place(api: ApiServer) -> None:
    for _ in range(2 * PER_PEER):
        with closing(socket.create_connection(("127.0.0.1", api.port), timeout=10)) as line:
            line.sendall(WEBSOCKET)
            assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
