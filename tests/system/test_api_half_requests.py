"""Connections that only hold a place are closed, and no other client waits for that."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from api.guard import HEADER_SECONDS
from api.http_connections import SWEEP_SECONDS
from tests.system.api_server import ApiServer
from tests.system.drill import size
from tests.system.following import enqueue

MOST = size(2_000, 300)
"""Half-sent requests at once."""


def _sockets() -> int:
    """Raise the number of files that this process may open, and return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + 500
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST, soft - 500)


@contextmanager
def connections(api: ApiServer, openings: list[bytes]) -> Iterator[list[socket.socket]]:
    """Open a connection for each of these, and send that part of a request on it."""
    made = []
    try:
        for said in openings:
            made.append(socket.create_connection(("127.0.0.1", api.port), timeout=30))
            made[-1].sendall(said)
        yield made
    finally:
        for one in made:
            one.close()


def _is_closed(one: socket.socket) -> bool:
    """Return whether the other end has closed a connection; skip an answer before that."""
    while True:
        try:
            if not one.recv(65536, socket.MSG_DONTWAIT):
                return True
        except BlockingIOError:
            return False
        except OSError:
            return True


def test_many_half_sent_requests_are_gone_within_the_time_limit_and_others_are_served(
    api: ApiServer, acme: httpx.Client
) -> None:
    key = acme.headers["x-api-key"].encode()
    head = b"POST /v1/runs HTTP/1.1\r\nhost: x\r\nx-api-key: " + key + b"\r\ncontent-type: application/json\r\n"
    kinds = [b"", b"POST /v1/ru", head, head + b'content-length: 1000\r\n\r\n{"agent": ']
    openings = (kinds * (_sockets() // len(kinds)))[:-1]
    with connections(api, openings) as opened:
        open_ = list(opened)
        deadline = time.monotonic() + HEADER_SECONDS + 10
        drips = opened[1::8] + opened[3::8]
        while open_:
            assert time.monotonic() < deadline, f"{len(open_)} of {len(openings)} are still open"
            for one in drips:
                with suppress(OSError):  # it is closed
                    one.send(b"a")
            assert acme.get("/health").status_code == 200
            enqueue(acme)
            time.sleep(0.5)  # like a client that sends byte by byte
            open_ = [one for one in open_ if not _is_closed(one)]


def test_a_body_that_drips_is_refused_and_its_connection_closed(api: ApiServer, acme: httpx.Client) -> None:
    head = f"POST /v1/runs HTTP/1.1\r\nhost: x\r\nx-api-key: {acme.headers['x-api-key']}\r\n"
    with connections(api, [f"{head}content-type: application/json\r\ncontent-length: 999\r\n\r\n".encode()]) as [one]:
        answer = b""
        while not select.select([one], [], [], 0.5)[0]:
            one.send(b" ")
        while piece := one.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"The body did not arrive in time." in answer


def test_a_quiet_stream_is_held_longer_than_any_limit(acme: httpx.Client) -> None:
    run = enqueue(acme)
    with acme.stream("GET", f"/v1/runs/{run}/sse", timeout=60) as response:
        lines = response.iter_lines()
        assert next(lines)
        time.sleep(HEADER_SECONDS + 2 * SWEEP_SECONDS)  # the limit is a time limit
        assert acme.post(f"/v1/runs/{run}/cancel").status_code == 200
        assert "event: end" in list(lines)


@pytest.fixture
def small(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    settings = {"TAXIWAY_HTTP_CONNECTIONS": "20", "TAXIWAY_HTTP_CONNECTIONS_PER_PEER": "5"}
    log = tmp_path_factory.mktemp("small") / "api.log"
    server = ApiServer(api.database_url, api.redis_url, log, settings).start()
    yield server
    server.stop()


def test_where_all_places_are_taken_those_give_way_that_are_without_a_request(small: ApiServer) -> None:
    with connections(small, [b"GET /"] * 60) as held:
        began = time.monotonic()
        with small.client(None) as client:
            assert client.get("/health").status_code == 200
        assert time.monotonic() < began + 2
        assert sum(map(_is_closed, held)) >= 60 - 20


def test_one_address_has_its_share_unless_it_is_a_trusted_proxy(
    api: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"TAXIWAY_HTTP_CONNECTIONS_PER_PEER": "5", "FORWARDED_ALLOW_IPS": "10.0.0.0/8"}
    server = ApiServer(api.database_url, api.redis_url, tmp_path_factory.mktemp("share") / "api.log", settings)
    server.start()
    try:
        with connections(server, [b"GET /"] * 12) as held:
            deadline = time.monotonic() + 5
            while sum(map(_is_closed, held)) < 7:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # between two polls
    finally:
        server.stop()
