"""Lines that need a recheck although no change names them: all of them once, and those that could not be finished."""

import time
from collections.abc import Iterable
from itertools import islice

from models.blocked_on import queue_of
from models.promotion import places
from models.runtime.database import Connection

TURN_SECONDS = 0.02


class Lines:
    """Remembers lines for one leader; the next leader finds them again by itself."""

    def __init__(self) -> None:
        self._due: dict[str, None] = {}
        self._after: str | None = ""
        self._queues: set[str] | None = None

    @property
    def waiting(self) -> bool:
        """Whether any line needs a recheck."""
        return bool(self._due)

    def restart(self, queue: str | None = None) -> None:
        """Recheck all lines, or those of a queue."""
        if queue is None:
            self._queues = None
        elif self._after is None:
            self._queues = {queue}
        elif self._queues is not None:
            self._queues.add(queue)
        self._after = ""

    def again(self, lines: Iterable[str]) -> None:
        """Recheck these lines."""
        self._due |= dict.fromkeys(lines)

    def find(self, connection: Connection) -> bool:
        """List the next lines in which runs wait, for `TURN_SECONDS`; return whether there may be more."""
        ends = time.monotonic() + TURN_SECONDS
        while self._after is not None and time.monotonic() < ends:
            self._after = line = places.next_line(self._after).one(connection)
            if line is not None and self._concerns(line):
                self._due[line] = None
        return self._after is not None

    def _concerns(self, gate: str) -> bool:
        is_line = gate.startswith(("key:", "tenant:"))
        return is_line and (self._queues is None or queue_of(gate) in self._queues)

    def take(self, most: int) -> list[str]:
        """Take up to `most` of the lines that need a recheck."""
        taken = list(islice(self._due, most))
        for line in taken:
            del self._due[line]
        return taken
