"""Log lines of one activation: bounded per run, written in groups, published live on the bus."""

import threading
from collections.abc import Callable

from executor.activation.json_limits import storable
from models.runs.recording import LogLine

MAX_LINE = 8 << 10
GROUP = 200
FULL = LogLine("taxiway", "warning", "the log of this run is full; what follows is not kept")


class LogBuffer:
    """Collects the log lines of one activation for the recorder. Any thread may add."""

    def __init__(self, budget: int, write: Callable[[list[LogLine]], None], show: Callable[[LogLine], None]) -> None:
        self._left = budget
        self._write, self._show = write, show
        self._lines: list[LogLine] = []
        self._lock = threading.Lock()

    def add(self, source: str, level: str, message: str, step: str | None = None, attempt: int | None = None) -> None:
        """Keep a line within the run's budget; the line that exceeds it becomes a marker, later ones are dropped."""
        line = LogLine(source, level, storable(message[:MAX_LINE]), step, attempt)
        with self._lock:
            if self._left <= 0:
                return
            self._left -= len(line.message.encode())
            line = line if self._left > 0 else FULL
            self._lines.append(line)
            full = len(self._lines) >= GROUP
        self._show(line)
        if full:
            self.flush()

    def flush(self) -> None:
        """Hand the collected lines to the recorder."""
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._write(lines)
