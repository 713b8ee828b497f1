"""Lock of a base folder: one stack at a time uses it; a second one learns the address of the first."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from ops.private_files import open_privately, private_base
from ops.stack import upfile
from ops.stack.errors import AlreadyRunning


class BaseLock:
    """A lock that ends with its process, for any reason."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        return self.file is not None

    def acquire(self) -> None:
        """Take the lock, or raise `AlreadyRunning` with the address of the holder."""
        private_base(self.base)
        file = open_privately(self.base / "up.lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = int(file.read() or 0)
            file.close()
            raise AlreadyRunning(upfile.read(self.base).get("TAXIWAY_URL", ""), holder) from None
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self.file = file

    def release(self) -> None:
        """Release the lock."""
        if self.file:
            self.file.close()
        self.file = None
