"""Decoder of server-sent events from bytes in any pieces (WHATWG HTML, section 9.2.6). No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A carriage return at the end of a piece may be half of CR LF, so it stays for the next piece.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")


@dataclass(frozen=True)
class Frame:
    """One event as received, its data not decoded."""

    event: str
    data: str
    id: str | None


class Decoder:
    """Decodes one connection. An event that is incomplete when a connection breaks is lost: use a new decoder."""

    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Yield the events that this piece completes."""
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        for line in lines:
            frame = self._line(line.decode("utf-8", "replace"))
            if frame is not None:
                yield frame

    def _line(self, line: str) -> Frame | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Frame | None:
        frame = Frame(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._data, self._id = "", [], None
        return frame
