"""Makes sure that at most one set of server processes works on a data folder.

The lock is taken here and inherited by the server, whose every process keeps it open. So it is free exactly when all
of them are gone, however they ended, and a server is never adopted, whole or half-dead.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.embedded.errors import DataInUse
from ops.private import open_privately

PATIENCE = 10.0
"""Seconds that a server whose owner was killed has to shut down."""


@contextmanager
def owned(folder: Path, lock: Path, patience: float | None = None) -> Iterator[int]:
    """Hold the lock file that stands for `folder`, and give its descriptor for the server to inherit."""
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    with open_privately(lock) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DataInUse(folder) from None
                time.sleep(0.05)
        yield file.fileno()
