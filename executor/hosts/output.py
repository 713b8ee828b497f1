"""Drains what agent hosts print, always, so that a host can never block on a full pipe: one thread for all hosts."""

import os
import selectors
import threading
from collections.abc import Callable

LINE_BYTES = 8 << 10
_CHUNK = 64 << 10
SETTLE_SECONDS = 0.5
Sink = Callable[[str, str], None]


class OutputDrain:
    """Reads the hosts' pipes and hands complete lines to their sinks: `sink(stream, line)`, in the drain's thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._new: list[tuple[int, str, Sink]] = []
        self._settling: list[tuple[Sink, threading.Event]] = []
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def watch(self, descriptor: int, stream: str, sink: Sink) -> None:
        """Drain `descriptor` until it ends, then close it."""
        with self._lock:
            self._new.append((descriptor, stream, sink))
        os.write(self._wake_write, b"x")

    def settle(self, sink: Sink) -> None:
        """Wait until the sink has all that was printed before this call, an unfinished last line too.

        What one activation printed must be neither lost at its end nor be found at the beginning of the next.
        """
        settled = threading.Event()
        with self._lock:
            self._settling.append((sink, settled))
        os.write(self._wake_write, b"x")
        settled.wait(SETTLE_SECONDS)

    def _run(self) -> None:
        while True:
            settling: list[tuple[Sink, threading.Event]] = []
            for key, _ in self._selector.select():
                if key.data is None:
                    os.read(self._wake_read, 1024)
                    settling = self._register()
                else:
                    self._drain(key)
            # The pipes that had something when the request was seen were read in this very round, and a pipe never holds
            # more than is read at once.
            for sink, settled in settling:
                self._cut(sink)
                settled.set()

    def _register(self) -> list[tuple[Sink, threading.Event]]:
        with self._lock:
            new, self._new = self._new, []
            settling, self._settling = self._settling, []
        for descriptor, stream, sink in new:
            self._selector.register(descriptor, selectors.EVENT_READ, _Pipe(stream, sink))
        return settling

    def _cut(self, sink: Sink) -> None:
        for key in self._selector.get_map().values():
            if key.data is not None and key.data.sink == sink:
                key.data.cut()

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
        self.sink = sink
        self._stream, self._rest = stream, b""

    def feed(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if self._rest and (not chunk or len(self._rest) > LINE_BYTES):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if line.strip():
                self.sink(self._stream, line[:LINE_BYTES].decode("utf-8", "replace"))

    def cut(self) -> None:
        """Hand over the unfinished line as it stands."""
        if self._rest:
            self.feed(b"\n")
