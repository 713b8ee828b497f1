"""Two flags set by signals and checked by every loop: stop, and stop immediately."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Halt:
    """The first request means: stop in order. The second: stop immediately."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hastened = threading.Event()

    def ask(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Request a stop; the second request hastens it."""
        if self.asked.is_set():
            self.hastened.set()
        self.asked.set()

    def listen(self) -> None:
        """Treat Ctrl-C, SIGTERM and a closed terminal as requests."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask)
