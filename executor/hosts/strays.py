"""Strays: processes that a host left behind when it ended by itself. They become the worker's children, and it ends them.

Only for a process whose only children are its hosts: any other child is killed.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress

from executor.hosts.descendants import children, end_descendants, lives
from models.runtime.facts import fact

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS = 1.0
_LOOK_AGAIN = 0.002


class Strays:
    """Adopts and ends strays. Used by the thread that starts the hosts, so that it never takes a new host for a stray."""

    def __init__(self) -> None:
        self._known = set(children(os.getpid()))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def end(self, hosts: Collection[int]) -> None:
        """Kill and reap every child that is no host, until none is left."""
        deadline, found = time.monotonic() + _SECONDS, 0
        while left := [child for child in children(os.getpid()) if child not in self._known and child not in hosts]:
            if time.monotonic() > deadline:
                fact("host.strays_left", level="error", processes=len(left))
                return
            found += len(left)
            for child in left:
                self._end(child)
            time.sleep(_LOOK_AGAIN)
        if found:
            fact("host.strays_ended", level="debug", processes=found)

    def _end(self, child: int) -> None:
        with suppress(OSError):
            if lives(child):
                os.kill(child, signal.SIGSTOP)
                end_descendants(child)
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, os.WNOHANG)
