"""Lock of a data folder: at most one set of server processes works on it.

The lock is taken here and inherited by every process of the server. So it is free exactly when all of them have ended, for any
reason. A running or half-dead server is never adopted.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.embedded.errors import DataInUse
from ops.private_files import open_privately

PATIENCE = 10.0
"""Seconds for a server whose owner was killed to shut down."""


@contextmanager
def owned(folder: Path, lock: Path, patience: float | None = None) -> Iterator[int]:
    """Hold the lock file of `folder`; yields its descriptor, which the server inherits."""
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
