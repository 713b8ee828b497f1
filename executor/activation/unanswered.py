"""What a host has said and has no answer to yet: where that is too much, its worker reads nothing more of it for now.

The worker's memory, its lanes and its threads for questions belong to all tenants. An agent waits for its answers, so an honest
host rarely reaches these limits, and then is hardly slower: its items already fill a group of the lane, by number or by size. A
neighbour's item stands behind so many of each other slot: with 4 MiB its steps took 0.2 s each on a busy machine.
"""

import threading
from typing import Final

MOST: Final = 64
MOST_BYTES: Final = 1 << 20


class Unanswered:
    """Counts one activation's items and questions; any thread may use it."""

    def __init__(self) -> None:
        self._count = self._size = 0
        self._lock = threading.Lock()

    @property
    def is_too_much(self) -> bool:
        """Return whether the host is to be left unread."""
        return self._count >= MOST or self._size >= MOST_BYTES

    def add(self, size: int = 0) -> None:
        """Note an item or a question."""
        with self._lock:
            self._count += 1
            self._size += size

    def remove(self, size: int = 0) -> None:
        """Note that one was answered."""
        with self._lock:
            self._count -= 1
            self._size -= size
