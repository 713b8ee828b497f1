"""The frames that a worker sends to the host of one activation: in their order, and never waiting for it to read."""

import threading
import time
from collections import deque

from taxiway.frames import Frame

from executor.hosts import Host

DEAF_SECONDS = 10.0
"""A host that takes nothing for so long is of no more use."""
MOST_UNSAID = 1_000
"""Frames that wait for a host to read them, before nothing more is read of it."""


class HostOutbox:
    """Any thread may send; the slot's thread sends again what had to wait."""

    def __init__(self, host: Host, activation: str) -> None:
        self._host, self._activation = host, activation
        self._unsaid: deque[Frame] = deque()
        self._unsaid_since = 0.0
        self._telling = threading.Lock()  # keeps frames of several threads in their order

    @property
    def is_full(self) -> bool:
        """Return whether the host has read so little that nothing more should be asked of the worker."""
        return len(self._unsaid) >= MOST_UNSAID

    def tell(self, frame: Frame) -> None:
        """Send a frame of this activation without ever waiting; what the host cannot take at once waits for `say_again`."""
        with self._telling:
            if not self._unsaid:
                self._unsaid_since = time.monotonic()
            self._unsaid.append({**frame, "activation": self._activation})
            self._say()

    def say_again(self) -> bool:
        """Send what waited because the host was busy reading; return whether all is sent. A deaf host is killed."""
        with self._telling:
            self._say()
            if self._unsaid and time.monotonic() > self._unsaid_since + DEAF_SECONDS:
                self._host.kill("deaf")
            return not self._unsaid

    def _say(self) -> None:
        while self._unsaid and self._host.tell(self._unsaid[0]):
            self._unsaid.popleft()
            self._unsaid_since = time.monotonic()
