"""Processes of a run: they end with it.

On Linux the host is the reaper of all processes that agents start: a detached process becomes a child of the host once its
parent has ended. A run may change that, or fork faster than the host can list processes. If the kernel keeps the host's
signals within its domain, one signal to all processes ends these as well. On other systems the worker ends the host's process
group only.

A process that the agents' modules started during their import is kept, with its children.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37
_ALL_PROCESSES: Final = -1
_START_TIME: Final = 19
"""Its index in `/proc/PID/stat`, after the name."""
_GRACE: Final = 0.2
"""Seconds between SIGTERM and SIGKILL."""
_GIVE_UP: Final = 1.0
_LOOK_AGAIN: Final = 0.005


_signals_stay_within = False
"""Whether a signal to all processes reaches this process's domain only."""


def adopt_all(signals_stay_within: bool) -> None:
    """Become the parent of every descendant that detaches itself from now on."""
    global _signals_stay_within  # noqa: PLW0603 - a fact about this process
    _signals_stay_within = signals_stay_within
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class ChildProcesses:
    """The children that this process has now and may keep; any other child is a run's. Used by the main thread only."""

    def __init__(self) -> None:
        self._is_reaper = _reaper()
        self._known = {child: _born(child) for child in children(os.getpid())}

    def end(self) -> list[str]:
        """End the processes that a run left behind; return their names."""
        if not self._is_reaper():
            end_all()
            return ["the reaper of processes"]
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
        # A list of children may miss one while they fork and end. The host is replaced, so no process is kept.
        end_all()
        _reap_all()
        return names

    def _left(self) -> list[int]:
        """Return the living children of runs; those that have ended are reaped."""
        found = children(os.getpid())
        # The number alone may have been reused by a run's process.
        self._known = {child: born for child, born in self._known.items() if child in found and _born(child) == born}
        return [child for child in found if child not in self._known and not _reaped(child)]


def children(parent: int) -> list[int]:
    """Return the children of a process, including ended ones; none on systems without `/proc`."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # the process ended, or this is not Linux
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def descendants(parent: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found = children(parent)
    for process in found:  # the list grows during the loop
        found += children(process)
    return found


def end_all() -> None:
    """Kill all descendants of this process, and all processes of its domain."""
    # Checked again, because a mistake here would end all processes of the machine: the worker is outside the domain.
    if _signals_stay_within and not _can_signal(os.getppid()):
        with contextlib.suppress(OSError):
            os.kill(_ALL_PROCESSES, signal.SIGKILL)
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _reap_all() -> None:
    """Wait until the killed processes have ended: before that they finish system calls, such as a write."""
    begun = time.monotonic()
    while time.monotonic() - begun < _GIVE_UP:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_LOOK_AGAIN)
        except ChildProcessError:
            return


def _can_signal(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _reaper() -> Callable[[], bool]:
    """Return a function that returns whether this process is the reaper, which code of a run can change."""
    if sys.platform != "linux":
        return lambda: True
    libc, found = ctypes.CDLL(None), ctypes.c_int()
    where = ctypes.byref(found)
    return lambda: libc.prctl(_PR_GET_CHILD_SUBREAPER, where, 0, 0, 0) == 0 and bool(found.value)


def _born(process: int) -> bytes:
    """Return the start time of a process, as the kernel writes it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[_START_TIME]
    return b""


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
