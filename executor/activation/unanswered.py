"""Count of a host's unanswered items and questions: above a limit, its worker stops reading it for now.

All tenants share the worker's memory, its group commits and its question threads. An agent waits for its answers, so an honest
host rarely reaches these limits. Even then it is hardly slower: its items already fill a commit group, by number or by size. An
item of another slot waits behind that many of each slot: with 4 MiB its steps took 0.2 s each on a busy machine.
"""

import threading
from typing import Final

MOST: Final = 64
MOST_BYTES: Final = 1 << 20


class Unanswered:
    """Counts one activation's items and questions. Any thread may use it."""

    def __init__(self) -> None:
        self._count = self._size = 0
        self._lock = threading.Lock()

    @property
    def is_too_much(self) -> bool:
        """Return whether the host must not be read for now."""
        return self._count >= MOST or self._size >= MOST_BYTES

    def add(self, size: int = 0) -> None:
        """Count an item or a question."""
        with self._lock:
            self._count += 1
            self._size += size

    def remove(self, size: int = 0) -> None:
        """Count an answer."""
        with self._lock:
            self._count -= 1
            self._size -= size
