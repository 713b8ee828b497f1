"""Processes that descend from a host, also those that left its process group; none on a system without /proc."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

END_SECONDS = 0.2
"""Longest fight against processes that multiply: a kill must never block the worker."""


def descendants(parent: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found = children(parent)
    for process in found:  # it grows during the loop
        found += children(process)
    return found


def children(parent: int) -> list[int]:
    """Return the children of a process, those that have ended included."""
    found: list[int] = []
    with suppress(OSError):  # it ended, or this is no Linux
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def end_descendants(parent: int) -> bool:
    """Kill all descendants of a process until none lives; return whether that was done in time.

    The process should be stopped: then it starts none, and remains the reaper of those whose parent was killed.
    """
    deadline = time.monotonic() + END_SECONDS
    while living := [process for process in descendants(parent) if lives(process)]:
        for process in living:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def lives(process: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:
        return False
    return state not in (b"Z", b"X")
