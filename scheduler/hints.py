"""Hints that wake the loop: those that arrive faster than the loop follows them are answered together."""

import threading
import time


class Hints:
    """Remembers the channels of the hints since the last `wait`. `give` is for any thread, `wait` for the loop's."""

    def __init__(self) -> None:
        self._any = threading.Event()
        self._lock = threading.Lock()  # protects the set: a hint given while `wait` takes it must not be lost
        self._channels: set[str] = set()

    def give(self, channel: str) -> None:
        """Remember a hint and end a running `wait`."""
        with self._lock:
            self._channels.add(channel)
        self._any.set()

    def interrupt(self) -> None:
        """End a running `wait` without a hint; takes no lock of ours, so a signal handler may call it."""
        self._any.set()

    def wait(self, seconds: float, *, not_before: float = 0.0) -> frozenset[str]:
        """Wait for hints, for `seconds` at most; return their channels.

        Hints are returned no earlier than the monotonic time `not_before`, together with those that arrive until then.
        """
        if not self._any.wait(seconds):
            return frozenset()
        if (early := not_before - time.monotonic()) > 0:
            time.sleep(early)
        self._any.clear()
        with self._lock:
            channels, self._channels = frozenset(self._channels), set()
        return channels
