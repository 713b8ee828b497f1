"""The frames that a worker sends to the host of one activation: in their order, and never waiting for it to read."""

import threading
import time
from collections import deque

from taxiway.frames import Frame

from executor.hosts import Host

HOST_READ_TIMEOUT_S = 10.0
"""A host that takes nothing for so long is of no more use."""
MOST_UNSENT = 1_000
"""Frames that wait for a host to read them, before nothing more is read of it."""


class HostOutbox:
    """Any thread may send; the slot's thread sends again what had to wait."""

    def __init__(self, host: Host, activation: str) -> None:
        self._host, self._activation = host, activation
        self._unsent: deque[Frame] = deque()
        self._unsent_since = 0.0
        self._sending = threading.Lock()  # keeps frames of several threads in their order

    @property
    def is_full(self) -> bool:
        """Return whether the host has read so little that nothing more should be asked of the worker."""
        return len(self._unsent) >= MOST_UNSENT

    def send(self, frame: Frame) -> None:
        """Send a frame of this activation without ever waiting; what the host cannot take at once waits for `flush`."""
        with self._sending:
            if not self._unsent:
                self._unsent_since = time.monotonic()
            self._unsent.append({**frame, "activation": self._activation})
            self._send_queued()

    def flush(self) -> bool:
        """Send what waited because the host was busy reading; return whether all is sent. A deaf host is killed."""
        with self._sending:
            self._send_queued()
            if self._unsent and time.monotonic() > self._unsent_since + HOST_READ_TIMEOUT_S:
                self._host.kill("not_reading")
            return not self._unsent

    def _send_queued(self) -> None:
        while self._unsent and self._host.try_send(self._unsent[0]):
            self._unsent.popleft()
            self._unsent_since = time.monotonic()
