"""Drains what agent hosts print, always, so that a host can never block on a full pipe: one thread for all hosts."""

import os
import selectors
import threading
from collections.abc import Callable

LINE_BYTES = 8 << 10
_CHUNK = 64 << 10
Sink = Callable[[str, str], None]


class OutputDrain:
    """Reads the hosts' pipes and hands complete lines to their sinks: `sink(stream, line)`, in the drain's thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._new: list[tuple[int, str, Sink]] = []
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def watch(self, descriptor: int, stream: str, sink: Sink) -> None:
        """Drain `descriptor` until it ends, then close it."""
        with self._lock:
            self._new.append((descriptor, stream, sink))
        os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    os.read(self._wake_read, 1024)
                    self._register()
                else:
                    self._drain(key)

    def _register(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        for descriptor, stream, sink in new:
            self._selector.register(descriptor, selectors.EVENT_READ, _Pipe(stream, sink))

    def _drain(self, key: selectors.SelectorKey) -> None:
        try:
            chunk = os.read(key.fd, _CHUNK)
        except OSError:
            chunk = b""
        key.data.feed(chunk)
        if not chunk:
            self._selector.unregister(key.fd)
            os.close(key.fd)


class _Pipe:
    """Cuts one pipe's bytes into lines; an endless line is cut at LINE_BYTES."""

    def __init__(self, stream: str, sink: Sink) -> None:
        self._stream, self._sink, self._rest = stream, sink, b""

    def feed(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if self._rest and (not chunk or len(self._rest) > LINE_BYTES):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if line.strip():
                self._sink(self._stream, line[:LINE_BYTES].decode("utf-8", "replace"))
