"""End of a host process: neither a host nor a process of its agents outlives the worker for long.

A host that loses its channel, or receives no `valid` in time, kills its process group itself. A host in a C call that holds
the interpreter cannot. For that case the kernel sends SIGHUP at the parent's death, and libc's own `alarm` handles it: the
signal's number, 1, becomes a delay of one second before SIGALRM ends the process. In that second the host can end itself
properly: a SIGKILL from the kernel would win that race and leave the agent's children behind.
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
    """End this process when `parent`, which must have started it, ends; become the leader of a process group."""
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
    """Kill the process group immediately, including this process; only the reason is written out."""
    with contextlib.suppress(Exception):
        end_all()  # including processes that left the process group
    try:
        os.write(2, f"taxiway host {os.getpid()}: {reason}\n".encode(errors="replace"))
    finally:
        os.killpg(0, signal.SIGKILL)
    raise SystemExit(reason)  # unreachable; for type checkers


def abandon() -> NoReturn:
    """End this process after an interrupt, and send SIGTERM to the processes that the interrupted code left behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    leave(0)


def leave(code: int) -> NoReturn:
    """End this process now, even if threads of an agent still run."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the worker no longer reads, or the agent closed it
            stream.flush()
    os._exit(code)
