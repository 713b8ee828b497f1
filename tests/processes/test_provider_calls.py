"""A provider is called at the public address of its name, under its name, and nowhere else."""

from __future__ import annotations

import gzip
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.authorization import bounded_answer, pinned_address
from models.authorization.oauth_client import Speaker
from models.errors import ProviderAway
from models.tables.provider import Provider
from tests.postgres.proxied import settings_of
from tests.processes.tls_redis import private_authority, tls_in_front

KEY = "k" * 40


class Bank(ThreadingHTTPServer):
    """A token endpoint that keeps the host of each call; it answers with `answer` and these headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.hosts: list[str] = []
        self.status, self.location = 200, ""


class _Answering(BaseHTTPRequestHandler):
    server: Bank

    def do_POST(self) -> None:
        self.server.hosts.append(self.headers["host"])
        self.rfile.read(int(self.headers["content-length"]))
        given = {} if self.server.location else {"access_token": "given", "token_type": "Bearer"}
        body = json.dumps(given).encode()
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: Any) -> None:
        """Log nothing."""


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _speaker(token_url: str) -> Speaker:
    return Speaker(Provider(name="bank", authorize_url="", token_url=token_url, client_id="us"), "secret")


def _exchange(token_url: str) -> str:
    return _speaker(token_url).exchange(redirect="https://us.example", code="c", verifier="v" * 43).access


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_called(bank: Bank, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    address = f"http://{host}:{bank.server_port}/token"
    with settings_of(monkeypatch, PRIVATE_PROVIDERS="false"):
        for call in (
            lambda: _exchange(address),
            lambda: _speaker(address).refresh("old"),
            lambda: Speaker(Provider(name="bank", token_url="", client_id="us", revocation_url=address), None).revoke(
                "t", "access_token"
            ),
        ):
            with pytest.raises(ProviderAway, match="private address, which only TAXIWAY_PRIVATE_PROVIDERS allows"):
                call()
    assert bank.hosts == []


def test_it_is_called_where_the_installation_allows_it(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    with settings_of(monkeypatch, PRIVATE_PROVIDERS="true"):
        assert _exchange(f"http://127.0.0.1:{bank.server_port}/token") == "given"


def test_the_address_that_was_judged_is_called_under_the_name(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name does not resolve, so a second lookup would fail; the first address accepts no connection."""
    monkeypatch.setattr(pinned_address, "public_addresses", lambda *_: ["127.0.0.2", "127.0.0.1"])
    with settings_of(monkeypatch, PRIVATE_PROVIDERS="false"):
        assert _exchange(f"http://bank.invalid:{bank.server_port}/token") == "given"
    assert bank.hosts == [f"bank.invalid:{bank.server_port}"]


@pytest.mark.parametrize(("name", "taken"), [("bank.example", True), ("other.example", False)])
def test_the_certificate_is_checked_against_the_name(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, taken: bool
) -> None:
    monkeypatch.setattr(pinned_address, "public_addresses", lambda *_: ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(private_authority(tmp_path)))
    with (
        settings_of(monkeypatch, PRIVATE_PROVIDERS="false"),
        tls_in_front(bank.server_port, tmp_path / "server.pem") as port,
    ):
        address = f"https://{name}:{port}/token"
        if taken:
            assert _exchange(address) == "given"
        else:
            with pytest.raises(ProviderAway, match="cannot be reached"):
                _exchange(address)


@pytest.mark.parametrize("allowed", ["true", "false"])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_not_followed(bank: Bank, monkeypatch: pytest.MonkeyPatch, status: int, allowed: str) -> None:
    monkeypatch.setattr(pinned_address, "public_addresses", lambda *_: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, settings_of(monkeypatch, PRIVATE_PROVIDERS=allowed):
        bank.status, bank.location = status, f"http://127.0.0.1:{elsewhere.getsockname()[1]}/token"
        with pytest.raises(ProviderAway):
            _exchange(f"http://127.0.0.1:{bank.server_port}/token")
        assert select.select([elsewhere], [], [], 0)[0] == [], "the code and the verifier were on their way there"
    assert len(bank.hosts) == 1


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
TOO_MUCH = b'{"access_token": "a", "more": "' + b" " * (4 << 20) + b'"}'
COSTLY = {
    "an answer without end": (HEAD + b"\r\n", b" " * 65536),
    "a head without end": (HEAD + b"x-a: ", b"a" * 5000),
    "an answer that drips": (HEAD + b"content-length: 100000\r\n\r\n", b" "),
    "a head that drips": (HEAD + b"x-a: ", b"a"),
    "a packed answer": (HEAD + b"content-encoding: gzip\r\nconnection: close\r\n\r\n" + gzip.compress(TOO_MUCH), b""),
    "a large answer": (HEAD + b"content-length: %d\r\n\r\n" % len(TOO_MUCH) + TOO_MUCH, b""),
}


def _serve(listening: socket.socket, beginning: bytes, more: bytes, over: threading.Event) -> None:
    """Answer one call with this beginning, and then with more of the same until the client leaves."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        try:
            connection.sendall(beginning)
            while more and not over.wait(0.01):  # between two drops
                connection.sendall(more)
        except OSError:
            return


@pytest.mark.parametrize("allowed", ["true", "false"])
@pytest.mark.parametrize("what", COSTLY)
def test_an_answer_costs_a_bounded_time_and_a_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, what: str, allowed: str
) -> None:
    monkeypatch.setattr(pinned_address, "public_addresses", lambda *_: ["127.0.0.1"])
    monkeypatch.setattr(bounded_answer, "WHOLE_SECONDS", 0.5)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening, settings_of(monkeypatch, PRIVATE_PROVIDERS=allowed):
        thread = threading.Thread(target=_serve, args=(listening, *COSTLY[what], over), daemon=True)
        thread.start()
        giving_up = threading.Timer(20, over.set)  # ends it if nothing else does
        giving_up.start()
        began = time.monotonic()
        with pytest.raises(ProviderAway):
            _exchange(f"http://127.0.0.1:{listening.getsockname()[1]}/token")
        giving_up.cancel()
        over.set()
        thread.join()
    assert time.monotonic() < began + 10
