"""Standard streams of the process, which agents may replace, redirect or close."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


class Streams:
    """The streams as they are when this is made. A closed stream, or a descriptor of another file, cannot be restored."""

    def __init__(self) -> None:
        self._streams = (sys.stdin, sys.stdout, sys.stderr)

    def read(self) -> tuple[Any, ...]:
        """Return the state that must be equal after each run."""
        closed = [stream is not None and stream.closed for stream in self._streams]
        return (sys.stdin, sys.stdout, sys.stderr), closed, [_file(descriptor) for descriptor in range(3)]

    def restore(self, _was: object = None) -> None:
        """Restore the stream objects in `sys`, and flush them."""
        sys.stdin, sys.stdout, sys.stderr = self._streams
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # the worker no longer reads, or the agent closed it
                stream.flush()


def _file(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:  # closed
        return None
    return found.st_dev, found.st_ino
