"""Drain of the hosts' output: read at all times by one thread, so that a host never blocks on a full pipe."""

import os
import selectors
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

LINE_BYTES = 8 << 10
_CHUNK = 64 << 10
MOST_READS = 4  # one read takes a full pipe; what a host prints beyond these reads came after the call
Sink = Callable[[str, str], None]


class OutputDrain:
    """Reads the hosts' pipes and hands complete lines to their sinks: `sink(stream, line)`, mostly in the drain's thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._new: list[_Pipe] = []
        self._given_up: list[_Pipe] = []
        self._pipes: defaultdict[Sink, list[_Pipe]] = defaultdict(list)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def watch(self, descriptor: int, stream: str, sink: Sink) -> None:
        """Drain `descriptor` until it ends, then close it."""
        os.set_blocking(descriptor, False)
        pipe = _Pipe(descriptor, stream, sink)
        with self._lock:
            self._new.append(pipe)
            self._pipes[sink].append(pipe)
        os.write(self._wake_write, b"x")

    def give_up(self, sink: Sink) -> None:
        """Read and close the pipes of a host that has ended, even if another process still holds their other end."""
        with self._lock:
            pipes = list(self._pipes.get(sink, ()))
            self._given_up += pipes
        for pipe in pipes:
            pipe.settle()
        if pipes:
            os.write(self._wake_write, b"x")

    def settle(self, sink: Sink) -> None:
        """Hand over all output before this call, an unfinished last line too, in the calling thread.

        The output of one activation must neither get lost nor appear in the next one.
        """
        with self._lock:
            pipes = list(self._pipes.get(sink, ()))
        for pipe in pipes:
            pipe.settle()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is not None and key.data.drain() is Read.ENDED:
                    self._forget(key.data)
            self._attend()

    def _attend(self) -> None:
        """Register new pipes and forget those that were given up, after the events that named them."""
        with suppress(BlockingIOError):
            os.read(self._wake_read, 1024)
        with self._lock:
            new, self._new = self._new, []
            given_up, self._given_up = self._given_up, []
        for pipe in new:
            self._selector.register(pipe.descriptor, selectors.EVENT_READ, pipe)
        for pipe in given_up:
            self._forget(pipe)

    def _forget(self, pipe: "_Pipe") -> None:
        with self._lock:
            if pipe not in self._pipes.get(pipe.sink, ()):  # it ended by itself before it was given up
                return
        self._selector.unregister(pipe.descriptor)
        with self._lock:
            self._pipes[pipe.sink].remove(pipe)
            if not self._pipes[pipe.sink]:
                del self._pipes[pipe.sink]
        pipe.close()


class Read(Enum):
    """Result of one read of a pipe."""

    SOME = "some"
    NOTHING = "nothing"
    ENDED = "ended"


class _Pipe:
    """Cuts one pipe's bytes into lines, at LINE_BYTES at most. A reader holds the lock until its lines are handed over."""

    def __init__(self, descriptor: int, stream: str, sink: Sink) -> None:
        self.descriptor, self.sink = descriptor, sink
        self._stream, self._rest = stream, b""
        self._lock = threading.Lock()
        self._ended = False

    def drain(self) -> Read:
        """Read once and hand over the complete lines."""
        with self._lock:
            return self._read()

    def settle(self) -> None:
        """Read until the pipe is empty, then hand over the unfinished line."""
        with self._lock:
            for _ in range(MOST_READS):
                if self._read() is not Read.SOME:
                    break
            if self._rest:
                self._feed(b"\n")

    def close(self) -> None:
        with self._lock:
            self._ended = True  # its descriptor number may be reused: never read it again
            os.close(self.descriptor)

    def _read(self) -> Read:
        if self._ended:
            return Read.ENDED
        try:
            chunk = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return Read.NOTHING
        except OSError:
            chunk = b""
        self._ended = not chunk
        self._feed(chunk)
        return Read.ENDED if self._ended else Read.SOME

    def _feed(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if self._rest and (not chunk or len(self._rest) > LINE_BYTES):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if line.strip():
                self.sink(self._stream, line[:LINE_BYTES].decode("utf-8", "replace"))
