"""A TCP proxy in front of a server, through which a test cuts, silences or freezes connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

Address = str | tuple[str, int]
_CHUNK = 64 << 10


class Proxy:
    """Listens on a port of its own and passes bytes on to `upstream`: a path (Unix socket) or a host with its port.

    `muted` keeps the server's answers back, so that a test can cause a commit whose answer never arrives; `frozen` passes
    nothing in either direction, as a network that loses every packet; `refusing` closes every new connection.
    """

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self.muted = self.frozen = self.refusing = False
        self.accepted = 0
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._orphans: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Close every connection on both sides: the server notices it too."""
        for client, server in self._open:
            _end(client)
            _end(server)
        self._open.clear()

    def cut_clients(self) -> None:
        """Close every connection on the client's side only: the server does not notice it."""
        for client, server in self._open:
            self._orphans.add(server)
            _end(client)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                if self.refusing:
                    client.close()
                else:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX if isinstance(self._upstream, str) else socket.AF_INET)
        server.connect(self._upstream)
        self._open.append((client, server))
        threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
        threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if self.frozen or (answers and self.muted):
                    continue
                target.sendall(chunk)
        if target not in self._orphans:
            _end(target)


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
