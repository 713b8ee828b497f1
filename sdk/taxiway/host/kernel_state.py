"""What the kernel keeps of this process: account, rights, root folder, processors. Part of `belongings`."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from taxiway.host.belonging import Belonging

_PR_GET_DUMPABLE: Final = 3
_PR_GET_SECCOMP: Final = 21
_PR_GET_CHILD_SUBREAPER: Final = 37
_PR_GET_NO_NEW_PRIVS: Final = 39
_CAPABILITY_VERSION: Final = 0x20080522


def of_kernel() -> tuple[Belonging, ...]:
    """Return what is to be as it is now."""
    return (
        Belonging("the account", lambda: (os.getresuid(), os.getresgid(), os.getgroups())),
        Belonging("the priority", lambda: os.getpriority(os.PRIO_PROCESS, 0)),
        Belonging("the root folder", lambda: os.stat("/")[1:3]),  # noqa: PTH116 - a third of a Path's time
        *(_of_linux() if sys.platform == "linux" else ()),
    )


def _of_linux() -> tuple[Belonging, ...]:
    libc = ctypes.CDLL(None)
    return (
        Belonging("the scheduling", lambda: os.sched_getscheduler(0)),
        Belonging("the processors", lambda: os.sched_getaffinity(0), lambda was: os.sched_setaffinity(0, was)),
        Belonging("seccomp, new privileges or core dumps", _states(libc)),
        Belonging("the reaper of processes", _reaper(libc)),
        Belonging("capabilities", _capabilities(libc)),
    )


def _states(libc: ctypes.CDLL) -> Callable[[], list[int]]:
    options = (_PR_GET_SECCOMP, _PR_GET_NO_NEW_PRIVS, _PR_GET_DUMPABLE)
    return lambda: [libc.prctl(option, 0, 0, 0, 0) for option in options]


def _reaper(libc: ctypes.CDLL) -> Callable[[], Any]:
    """Read whether detached processes come to this one: a run that ends that lets its own escape."""
    found = ctypes.c_int()
    where = ctypes.byref(found)

    def read() -> int:
        libc.prctl(_PR_GET_CHILD_SUBREAPER, where, 0, 0, 0)
        return found.value

    return read


def _capabilities(libc: ctypes.CDLL) -> Callable[[], bytes]:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()

    def read() -> bytes:
        libc.capget(header, sets)
        return bytes(sets)

    return read
