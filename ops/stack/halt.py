"""Two flags that a signal sets and every loop looks at: stop, and stop at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Halt:
    """Asked once it means: stop in order. Asked again: stop at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hastened = threading.Event()

    def ask(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask once more."""
        if self.asked.is_set():
            self.hastened.set()
        self.asked.set()

    def listen(self) -> None:
        """Take Ctrl-C and SIGTERM as asking, and a closed terminal too."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask)
