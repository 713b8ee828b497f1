"""Frames from the worker to the host of one activation: sent in their order, without ever waiting for the host to read."""

import threading
import time
from collections import deque

from taxiway.frames import Frame

from executor.hosts import Host

HOST_READ_TIMEOUT_S = 10.0  # kill a host that has not read its channel for this long
MOST_UNSENT = 1_000  # queued frames; with more, the worker reads nothing from the host


class HostOutbox:
    """Any thread may `send`; the slot's thread calls `flush`."""

    def __init__(self, host: Host, activation: str) -> None:
        self._host, self._activation = host, activation
        self._unsent: deque[Frame] = deque()
        self._unsent_since = 0.0
        self._sending = threading.Lock()  # protects the queue, and keeps frames of several threads in their order

    @property
    def is_full(self) -> bool:
        """Return whether so many frames are queued that nothing more should be read from the host."""
        return len(self._unsent) >= MOST_UNSENT

    def send(self, frame: Frame) -> None:
        """Send a frame of this activation without waiting; a frame that the host cannot take now is queued for `flush`."""
        with self._sending:
            if not self._unsent:
                self._unsent_since = time.monotonic()
            self._unsent.append({**frame, "activation": self._activation})
            self._send_queued()

    def flush(self) -> bool:
        """Send the queued frames; return whether all are sent. Kill the host after `HOST_READ_TIMEOUT_S` without progress."""
        with self._sending:
            self._send_queued()
            if self._unsent and time.monotonic() > self._unsent_since + HOST_READ_TIMEOUT_S:
                self._host.kill("not_reading")
            return not self._unsent

    def _send_queued(self) -> None:
        while self._unsent and self._host.try_send(self._unsent[0]):
            self._unsent.popleft()
            self._unsent_since = time.monotonic()
