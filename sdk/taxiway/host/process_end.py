"""Makes sure that no host, and no process that an agent started, outlives the worker for long.

A host that loses its channel or its worker's word kills its process group itself. For a host that cannot (a C call
holds the interpreter) the kernel is asked for a SIGHUP at the parent's death, which libc's own `alarm` handles: the
signal's number, 1, becomes a second's delay before SIGALRM ends the process. That second is for the host's own, better
way: a SIGKILL from the kernel would win the race against it and leave the agent's children behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Final, NoReturn

from taxiway.host.child_processes import end_all

_PR_SET_PDEATHSIG: Final = 1


def tie_to(parent: int) -> None:
    """Die with the process `parent`, which must be the one that started this one; lead a process group."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        libc.signal.restype = ctypes.c_void_p
        libc.signal(signal.SIGHUP, ctypes.cast(libc.alarm, ctypes.c_void_p))
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0)
    if os.getppid() != parent:  # it died before it could be watched
        die("the worker is gone")


def die(reason: str) -> NoReturn:
    """Kill the process group at once, this process included; nothing is flushed but the reason."""
    with contextlib.suppress(Exception):
        end_all()  # those that left the process group
    try:
        os.write(2, f"taxiway host {os.getpid()}: {reason}\n".encode(errors="replace"))
    finally:
        os.killpg(0, signal.SIGKILL)
    raise SystemExit(reason)  # unreachable: says so to type checkers


def abandon() -> NoReturn:
    """End this process after an interrupt, and ask the processes that the interrupted code left behind to end too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    leave(0)


def leave(code: int) -> NoReturn:
    """End this process now, whatever threads an agent left behind."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the worker reads no more, or the agent closed it
            stream.flush()
    os._exit(code)
