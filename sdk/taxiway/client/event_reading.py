"""Listening to everything that happens in a tenant: live only, over one connection, to its end. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from taxiway.client.calls import Request
from taxiway.client.errors import NotReachable
from taxiway.client.follow import SILENCE
from taxiway.client.sse import Decoder, Frame
from taxiway.client.views import Event


def request(status: str | Iterable[str] | None, agent: str | None) -> Request:
    """The request of the stream; `status` and `agent` narrow what is sent."""
    wanted = [status] if isinstance(status, str) else list(status or ())
    params = [("status", one) for one in wanted] + ([("agent", agent)] if agent else [])
    headers = {"accept": "text/event-stream", "cache-control": "no-store"}
    return Request("GET", "/v1/events/sse", tuple(params), headers=headers, wait=SILENCE)


class Listening:
    """Reads one connection; the first keepalive, which comes at once, says that nothing is missed from then on."""

    NOTHING: Final = b""
    """What is fed in place of a piece when the connection has ended."""

    def __init__(self) -> None:
        self.begun = False
        self._decoder = Decoder()

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that this piece completes; raise NotReachable when it ended before it began."""
        if piece == self.NOTHING and not self.begun:
            raise NotReachable("The server closed the event stream before it began.")
        for frame in self._decoder.feed(piece):
            self.begun = True
            if (event := _event(frame)) is not None:
                yield event


def _event(frame: Frame) -> Event | None:
    try:
        data = json.loads(frame.data)
    except ValueError:
        return None
    return Event(frame.event, None, data) if frame.event != "keepalive" and isinstance(data, dict) else None
