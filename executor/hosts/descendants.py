"""The processes that descend from a host, also those that left its process group; none where the system does not tell."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

END_SECONDS = 0.2
"""Longer is not fought against processes that multiply: a kill must never hold up the worker."""


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
    """Kill all that descends from a process, again until none lives; return whether that was done in time.

    The process should be stopped: it starts none then, and remains the reaper of those whose parent was killed.
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
