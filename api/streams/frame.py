"""Server-sent events (WHATWG HTML, section 9.2): the bytes of one event on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.http.responses import encode

KEEPALIVE = b"event: keepalive\ndata: null\n\n"
_LINE_ENDS = str.maketrans("\r\n", "  ")  # stored JSON has them between its tokens only, never inside a string


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, ready to send; `seq` is None for a live-only event."""

    seq: int | None
    wire: bytes
    end: bool = False


def frame(message: Mapping[str, Any], *, resumable: bool = True) -> Frame:
    """Return the frame of an event's public object. Stored events get their `seq` as id if the stream is resumable."""
    seq, kind = message.get("seq") if resumable else None, str(message["event"])
    if not kind.isidentifier():
        raise ValueError("an event's name is one word")  # another name could forge a line of the stream
    head = f"event: {kind}\n" if seq is None else f"id: {seq}\nevent: {kind}\n"
    data = encode(dict(message)).translate(_LINE_ENDS)
    return Frame(seq, f"{head}data: {data}\n\n".encode("utf-8", "replace"), end=kind == "end" and seq is not None)
