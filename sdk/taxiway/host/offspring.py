"""The processes that a run started: they end with it.

On Linux the host is the reaper of everything that agents start, so that a process which detached itself becomes a child of the
host once its parent has ended. Elsewhere only the host's process group ends, by the worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_GRACE: Final = 0.2
"""Seconds between the signal that asks a process to end and the one that ends it."""
_GIVE_UP: Final = 1.0
_LOOK_AGAIN: Final = 0.005


def adopt_all() -> None:
    """Become the parent of each process that detaches itself, from now on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Offspring:
    """The children that this process has now and may keep; any other one is a run's."""

    def __init__(self) -> None:
        self._known = set(children(os.getpid()))

    def end(self) -> list[str]:
        """End the processes that a run left behind, 1 us when there are none; return their names."""
        if not _has_children() or not (left := self._left()):
            return []
        names = [f"process {child} ({_name(child)})" for child in left]
        begun = time.monotonic()
        _signal(left, signal.SIGTERM)
        while left and (spent := time.monotonic() - begun) < _GIVE_UP:
            if spent > _GRACE:
                _signal(left, signal.SIGKILL)
            time.sleep(_LOOK_AGAIN)
            left = self._left()
        return names

    def _left(self) -> list[int]:
        """Return the living children of runs; those that have ended are reaped."""
        found = children(os.getpid())
        self._known.intersection_update(found)
        return [child for child in found if child not in self._known and not _reaped(child)]


def children(parent: int) -> list[int]:
    """Return the processes that have this parent, ended ones too; none where the system does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended, or this is no Linux
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def descendants(parent: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found = children(parent)
    for process in found:  # it grows meanwhile
        found += children(process)
    return found


def end_all() -> None:
    """Kill all processes that descend from this one."""
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reaped(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:  # the agent's code was faster
        return True


def _signal(processes: list[int], number: signal.Signals) -> None:
    for parent in processes:
        for process in (*descendants(parent), parent):
            with contextlib.suppress(OSError):
                os.kill(process, number)


def _name(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
    return "?"
