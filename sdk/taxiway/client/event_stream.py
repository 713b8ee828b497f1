"""Live events of a tenant over one connection: the request, the decoding, and the blocking reader.

No event is missed after the stream has begun, and none is returned before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Final

import httpx

from taxiway.client.calls import Request
from taxiway.client.errors import NotReachable
from taxiway.client.follow import SILENCE
from taxiway.client.sse import Decoder, Frame
from taxiway.client.views import Event


def request(status: str | Iterable[str] | None, agent: str | None) -> Request:
    """Return the request of the stream; `status` and `agent` narrow what the server sends."""
    wanted = [status] if isinstance(status, str) else list(status or ())
    params = [("status", one) for one in wanted] + ([("agent", agent)] if agent else [])
    headers = {"accept": "text/event-stream", "cache-control": "no-store"}
    return Request("GET", "/v1/events/sse", tuple(params), headers=headers, wait=SILENCE)


class Listening:
    """Decodes one connection. The server sends a keepalive immediately; from then on no event is missed."""

    NOTHING: Final = b""
    """Fed in place of a piece when the connection has ended."""

    def __init__(self) -> None:
        self.begun = False
        self._decoder = Decoder()

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that this piece completes; raise NotReachable if the stream ended before it began."""
        if piece == self.NOTHING and not self.begun:
            raise NotReachable("The server closed the event stream before it began.")
        for frame in self._decoder.feed(piece):
            self.begun = True
            if (event := _event(frame)) is not None:
                yield event


def heard(pieces: Iterator[bytes]) -> Iterator[Event]:
    """Wait until the stream has begun; return its events, which end with the connection, even a broken one."""
    listening = Listening()
    first: list[Event] = []
    while not listening.begun:
        first += listening.feed(next(pieces, listening.NOTHING))
    return chain(first, _rest(listening, pieces))


def _rest(listening: Listening, pieces: Iterator[bytes]) -> Iterator[Event]:
    with suppress(httpx.RequestError):
        for piece in pieces:
            yield from listening.feed(piece)


def _event(frame: Frame) -> Event | None:
    try:
        data = json.loads(frame.data)
    except ValueError:
        return None
    return Event(frame.event, None, data) if frame.event != "keepalive" and isinstance(data, dict) else None
