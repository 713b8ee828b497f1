"""Frames between a worker and its agent host: JSON objects, each after its length, over a stream socket.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON, an object whose field `frame` names its kind.
No text in it holds NUL or half a surrogate pair, so all content can be stored. A stream that once violated this cannot be
read any further: every later call raises the same error.

    FrameError         data that is no frame; the channel can no longer be used, except after a refused send
    └─ FrameTooLarge   more than MAX_FRAME
    ChannelClosed      the other end is gone, or a frame was left half written
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

PROTOCOL: Final = 2
MAX_FRAME: Final = 4 * 1024 * 1024

_LENGTH_BYTES: Final = 4
_CHUNK: Final = 64 * 1024  # at four times that, malloc allocates new pages for each read: 16 us of page faults
_WHOLE: Final = 16 * 1024 if sys.platform == "linux" else 0
_TIMEVAL: Final = struct.Struct("@ll")

Frame = dict[str, Any]


class Kind(StrEnum):
    """The names of frames, first those of a host, then those of a worker."""

    HELLO = "hello"
    BROKEN = "broken"
    STEP_STARTED = "step_started"
    STEP = "step"
    STEP_FAILED = "step_failed"
    STEP_ABANDONED = "step_abandoned"
    SPAWN = "spawn"
    RECALL = "recall"
    GRANT = "grant"
    EVENT = "event"
    LOG = "log"
    OPEN = "open"
    TURN = "turn"
    HELD = "held"
    LOOK = "look"
    PARK = "park"
    RESTART = "restart"
    FINISH = "finish"
    FAIL = "fail"
    LEAVING = "leaving"
    IDLE = "idle"

    ACTIVATE = "activate"
    RECORDED = "recorded"
    ACK = "ack"
    REFUSED = "refused"
    RECALLED = "recalled"
    GRANTED = "granted"
    SETTLED = "settled"
    VALID = "valid"
    CANCEL = "cancel"
    PAUSE = "pause"
    STOP = "stop"


class FrameError(Exception):
    """Invalid bytes: not JSON, too large, not an object, or cut off in the middle."""


class FrameTooLarge(FrameError):
    """A frame of more than MAX_FRAME bytes."""


class ChannelClosed(Exception):
    """The other end closed the channel, or it can no longer be written to."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame, its length first; raise FrameError for content beyond JSON or the size limit."""
    try:
        body = _ENCODER.encode(frame).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a {frame.get('frame')} frame cannot be written as JSON: {error}") from error
    if len(body) > MAX_FRAME:
        raise FrameTooLarge(f"a {frame.get('frame')} frame has {len(body)} bytes, {MAX_FRAME} are allowed")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def decode(body: bytes | bytearray) -> Frame:
    """Return the object that `body` (without its length) holds; raise FrameError if it holds none."""
    try:
        frame = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame is not JSON: {error}") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("frame"), str):
        raise FrameError("a frame must be a JSON object whose field 'frame' is a text")
    # Only an escape can contain what UTF-8 itself forbids, so this walk is rare.
    if b"\\u" in body and not is_storable(frame):
        raise FrameError(f"a {frame['frame'][:40]!r} frame holds NUL or half a surrogate pair")
    return frame


def is_storable(value: object) -> bool:
    """Return whether no text in a decoded JSON value holds NUL or half a surrogate pair, which PostgreSQL refuses."""
    return all(map(_is_text_storable, _texts(value)))


class FrameSocket:
    """One end of the channel. Any thread may send; one thread receives.

    Owns the socket, which must be a connected stream socket in blocking mode.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._socket = sock
        self._send_lock = threading.Lock()
        self._buffer = bytearray()
        self._frames: deque[Frame] = deque()
        self._fault: FrameError | ChannelClosed | None = None
        self._broken: str | None = None
        self._read_timeout: float | None = None
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)

    def fileno(self) -> int:
        """Return the descriptor of the socket, -1 once closed."""
        return self._socket.fileno()

    def forget(self) -> None:
        """Close this copy of the descriptor in a forked child; the channel stays open between its two ends."""
        if (descriptor := self._socket.detach()) >= 0:  # -1 in the child of a child
            os.close(descriptor)
        self._broken = "a forked child has no channel"

    def close(self) -> None:
        """Close the channel. The other end sees the end of the stream immediately, even if a child shares the socket."""
        with contextlib.suppress(OSError):  # the other end was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, *frames: Frame) -> None:
        """Write frames; block while the other end does not read.

        Raises FrameError (nothing was written, the channel stays usable) or ChannelClosed.
        """
        data = b"".join(map(encode, frames))
        with self._send_lock:
            self._refuse_when_broken()
            # Remains set unless sendall returns, for example if a signal handler raises in the middle of it.
            self._broken = "a frame was left half written"
            try:
                self._socket.sendall(data)
            except OSError as error:
                self._broken = str(error)
                raise ChannelClosed(self._broken) from error
            self._broken = None

    def try_send(self, frame: Frame) -> bool:
        """Write a frame only if that does not block; return whether it was written.

        False means that the other end does not read, or that another thread's `send` waits for it. Raises FrameError, or
        ChannelClosed (also if the frame was left half written).
        """
        data = memoryview(encode(frame))
        if not self._send_lock.acquire(blocking=False):
            return False
        try:
            self._refuse_when_broken()
            # Linux writes this little either whole or not at all; a larger frame needs a socket with most of its buffer free.
            fits = len(data) <= _WHOLE or bool(self._writable.poll(0))
            return fits and self._send_now(data)
        finally:
            self._send_lock.release()

    def recv(self, timeout: float | None) -> Frame | None:
        """Return the next frame, or None if none arrived within `timeout` seconds (None: no limit; 0: do not wait).

        Frames that arrived before an error are returned first. Raises FrameError, or ChannelClosed at the stream's end.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._frames:
            if self._fault is not None:
                raise self._fault
            if not self._read(None if deadline is None else max(0.0, deadline - time.monotonic())):
                return None
        return self._frames.popleft()

    def _send_now(self, data: memoryview) -> bool:
        total = len(data)
        while data:
            try:
                data = data[self._socket.send(data, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                if len(data) == total:
                    return False
                self._broken = "a frame was left half written, the other end does not read"
                raise ChannelClosed(self._broken) from None
            except OSError as error:
                self._broken = str(error)
                raise ChannelClosed(self._broken) from error
        return True

    def _read(self, timeout: float | None) -> bool:
        """Read what arrives within `timeout` seconds; return whether anything did, including an end or an error."""
        try:
            chunk = self._socket.recv(_CHUNK, 0 if self._limit_read(timeout) else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            self._fault = ChannelClosed(str(error))
            return True
        if not chunk:
            cut_off = FrameError("the stream ended within a frame")
            self._fault = cut_off if self._buffer else ChannelClosed("the other end closed the channel")
            return True
        self._buffer += chunk
        try:
            self._frames.extend(self._take())
        except FrameError as error:
            self._fault = error
        return True

    def _limit_read(self, timeout: float | None) -> bool:
        """Limit a read in the kernel, which takes one call where a poll before the read would take two.

        Returns whether the read may wait at all.
        """
        microseconds = 0 if timeout is None else round(timeout * 1e6)
        if timeout is not None and microseconds == 0:
            return False
        if timeout != self._read_timeout:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(*divmod(microseconds, 10**6)))
            self._read_timeout = timeout
        return True

    def _take(self) -> Iterator[Frame]:
        start, buffer = 0, self._buffer
        try:
            while len(buffer) - start >= _LENGTH_BYTES:
                size = int.from_bytes(buffer[start : start + _LENGTH_BYTES], "big")
                if size > MAX_FRAME:
                    raise FrameTooLarge(f"a frame announces {size} bytes, {MAX_FRAME} are allowed")
                end = start + _LENGTH_BYTES + size
                if len(buffer) < end:
                    break
                yield decode(buffer[start + _LENGTH_BYTES : end])
                start = end
        finally:
            del buffer[:start]

    def _refuse_when_broken(self) -> None:
        if self._broken is not None:
            raise ChannelClosed(self._broken)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _is_text_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))
