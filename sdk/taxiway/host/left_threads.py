"""Threads of a run that still execute Python code after it: only the end of the process can end them."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import thread as pool
from types import FrameType
from typing import Final

_OURS: Final = "taxiway-"
_PATIENCE: Final = 0.1
"""Seconds that threads have to end after the run: many were asked to end just before."""
_LOOK_AGAIN: Final = 0.005


class LeftThreads:
    """The threads that this process has now and may keep; any other thread is a run's. Used by the main thread only."""

    def __init__(self) -> None:
        self._known = set(_running())

    def look(self) -> list[str]:
        """Return the names of threads that a run left behind, after a short wait for their end."""
        left, until = self._left(), None
        while left:
            until = until or time.monotonic() + _PATIENCE
            if time.monotonic() > until:
                return [f"thread {name!r}" for name in left]
            time.sleep(_LOOK_AGAIN)
            left = self._left()
        return []

    def _left(self) -> list[str]:
        running = _running()
        self._known.intersection_update(running)
        unknown = running.keys() - self._known
        if not unknown:
            return []
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return [name for ident in unknown if not _is_idle(name := names.get(ident, f"thread {ident}"), running[ident])]


def _running() -> dict[int, FrameType]:
    """Return the other threads that execute Python code, including those that `threading` did not start."""
    frames = sys._current_frames()  # noqa: SLF001 - documented despite its name
    del frames[threading.get_ident()]  # a frame that refers to itself would keep all of its callers alive
    return frames


def _is_idle(name: str, frame: FrameType) -> bool:
    """Return whether a thread of the event loop's pool is idle: it ends, or waits for the pool's next call."""
    return name.startswith(_OURS) and frame.f_code.co_filename == pool.__file__
