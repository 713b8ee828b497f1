"""Bounds of a provider's answer: its bytes, and the time until it is complete. A provider may be slow, or an impostor.

A time limit of the HTTP client starts again with each byte, and a small compressed answer may expand to fill the memory. So
the connection is shut after the whole time, whatever has arrived, and an answer that is compressed or too large is not read.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Timer
from typing import Any

import httpx2

WHOLE_SECONDS = 20.0
MOST_BYTES = 1 << 20


class Bounds:
    """The bounds of one call: its `hooks` are those of the client that makes it. Used by one thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    @property
    def hooks(self) -> dict[str, list[Any]]:
        """The callbacks of the client."""
        return {"request": [self._begin], "response": [self._bound]}

    def _begin(self, request: httpx2.Request) -> None:
        request.headers["accept-encoding"] = "identity"
        request.extensions = {**request.extensions, "trace": self._note}
        self._timer = Timer(WHOLE_SECONDS, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def _bound(self, response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise httpx2.DecodingError("the answer is packed", request=response.request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, self._timer)

    def _note(self, event: str, told: dict[str, Any]) -> None:
        """Keep the socket: the transport tells of it when it is connected, and again when it speaks TLS."""
        if event in (
            "connection.connect_tcp.complete",
            "connection.start_tls.complete",
            "proxy_stream.start_tls.complete",
        ):
            self._socket = told["return_value"].get_extra_info("socket")

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed
                self._socket.shutdown(socket.SHUT_RDWR)


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, timer: Timer) -> None:
        self._stream, self._timer = stream, timer

    def __iter__(self) -> Iterator[bytes]:
        left = MOST_BYTES
        for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise httpx2.ReadError("the answer is too large")
            yield piece

    def close(self) -> None:
        self._timer.cancel()
        self._stream.close()
