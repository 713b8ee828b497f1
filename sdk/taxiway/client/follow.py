"""Event stream of one run over any number of connections: each event once, in order, until `end`. No I/O.

A driver opens `request()`, passes every piece of the body to `feed()`, and reports the end of the connection with
`closed()` or `lost(error)`. These return the seconds to wait before the next connection, or raise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from taxiway.client.backoff import Backoff
from taxiway.client.calls import Request, run_path
from taxiway.client.errors import NotReachable
from taxiway.client.sse import Decoder, Frame
from taxiway.client.views import Event
from taxiway.errors import TaxiwayError

# The server sends a keepalive every 20 s: three missed ones mean that the connection is dead.
SILENCE = 60.0


class Follow:
    """The state of one subscription. `over` is true after `end` was yielded."""

    def __init__(self, run_id: str, after: int | None, backoff: Backoff) -> None:
        self.over = False
        self._path = run_path(run_id, "sse")
        self._last = after
        self._backoff = backoff
        self._decoder = Decoder()

    def request(self) -> Request:
        """Return the request for the next connection, which continues after the last yielded event."""
        self._decoder = Decoder()
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if self._last is not None:
            headers["last-event-id"] = str(self._last)
        return Request("GET", self._path, headers=headers, wait=SILENCE)

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the new events that this piece completes."""
        self._backoff.heard()
        for frame in self._decoder.feed(piece):
            event = _event(frame)
            if event is None or self.over:
                continue
            if event.id is not None:
                if self._last is not None and event.id <= self._last:
                    continue
                self._last = event.id
            self.over = event.type == "end"
            self._backoff.reset()
            yield event

    def closed(self) -> float:
        """Return the wait as lost() does: a server that closes a connection before `end` is shutting down."""
        return self.lost(NotReachable("The server closes the event stream before the run has ended."))

    def lost(self, error: TaxiwayError) -> float:
        """Return the seconds to wait before the next connection, or raise if another one cannot help."""
        return self._backoff.after(error)


def _event(frame: Frame) -> Event | None:
    """Return the event of a frame; None for a keepalive and for anything but a JSON object."""
    try:
        data = json.loads(frame.data)
    except ValueError:
        return None
    if frame.event == "keepalive" or not isinstance(data, dict):
        return None
    return Event(frame.event, int(frame.id) if frame.id and frame.id.isdecimal() else None, data)
