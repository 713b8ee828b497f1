"""State of this process in the kernel: account, rights, priority, processors. Part of `process_state`."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final

from taxiway.host.restorable import Restorable

_PR_GET_SECCOMP: Final = 21
_PR_GET_NO_NEW_PRIVS: Final = 39
_CAPABILITY_VERSION: Final = 0x20080522


def of_kernel() -> tuple[Restorable, ...]:
    """Return the parts of the kernel's state."""
    return (
        Restorable("the account", lambda: (os.getresuid(), os.getresgid(), os.getgroups())),
        Restorable("the priority", lambda: os.getpriority(os.PRIO_PROCESS, 0)),
        *(_of_linux() if sys.platform == "linux" else ()),
    )


def _of_linux() -> tuple[Restorable, ...]:
    libc = ctypes.CDLL(None)
    return (
        Restorable("the scheduling", lambda: os.sched_getscheduler(0)),
        Restorable("the processors", lambda: os.sched_getaffinity(0), lambda was: os.sched_setaffinity(0, was)),
        Restorable("seccomp or new privileges", _states(libc)),
        Restorable("capabilities", _capabilities(libc)),
    )


def _states(libc: ctypes.CDLL) -> Callable[[], list[int]]:
    options = (_PR_GET_SECCOMP, _PR_GET_NO_NEW_PRIVS)
    return lambda: [libc.prctl(option, 0, 0, 0, 0) for option in options]


def _capabilities(libc: ctypes.CDLL) -> Callable[[], bytes]:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()

    def read() -> bytes:
        libc.capget(header, sets)
        return bytes(sets)

    return read
