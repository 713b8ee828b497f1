"""The processes that a run started: they end with it.

On Linux the host is the reaper of everything that agents start, so that a process which detached itself becomes a child of the
host once its parent has ended. A run may change that, or fork faster than the host can read what is there: where the kernel
keeps the host's signals within its domain, one signal to all ends these too. Elsewhere than on Linux only the host's process
group ends, by the worker.

A process that the agents' modules started while they were imported is kept, with whatever it starts.
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
"""Its place in `/proc/PID/stat`, behind the name."""
_GRACE: Final = 0.2
"""Seconds between the signal that asks a process to end and the one that ends it."""
_GIVE_UP: Final = 1.0
_LOOK_AGAIN: Final = 0.005


_signals_stay_within = False
"""Whether a signal to everybody reaches this process's domain alone."""


def adopt_all(signals_stay_within: bool) -> None:
    """Become the parent of each process that detaches itself, from now on."""
    global _signals_stay_within  # noqa: PLW0603 - a fact about this process
    _signals_stay_within = signals_stay_within
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class ChildProcesses:
    """The children that this process has now and may keep; any other one is a run's."""

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
        # A list of children that is read while they fork and end may miss one. The host is replaced, so none is kept.
        end_all()
        _reap_all()
        return names

    def _left(self) -> list[int]:
        """Return the living children of runs; those that have ended are reaped."""
        found = children(os.getpid())
        # The number alone could by now be that of a run's process.
        self._known = {child: born for child, born in self._known.items() if child in found and _born(child) == born}
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
    """Kill all processes that descend from this one, and all of its domain."""
    # Looked at again, since one mistake here would end the whole machine: the worker is outside of the domain.
    if _signals_stay_within and not _can_signal(os.getppid()):
        with contextlib.suppress(OSError):
            os.kill(_ALL_PROCESSES, signal.SIGKILL)
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _reap_all() -> None:
    """Wait until those that were killed have ended: until then they finish what the kernel does for them, such as a write."""
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
    """Return a function that says whether detached processes come to this one, which code of a run can change."""
    if sys.platform != "linux":
        return lambda: True
    libc, found = ctypes.CDLL(None), ctypes.c_int()
    where = ctypes.byref(found)
    return lambda: libc.prctl(_PR_GET_CHILD_SUBREAPER, where, 0, 0, 0) == 0 and bool(found.value)


def _born(process: int) -> bytes:
    """Return when a process was started, in the kernel's own words."""
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
