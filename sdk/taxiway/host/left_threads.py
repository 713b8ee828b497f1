"""The threads that a run started and that still execute Python code after it: nothing can end them but the end of the process."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import thread as pool
from types import FrameType
from typing import Final

_OURS: Final = "taxiway-"
_PATIENCE: Final = 0.1
"""Seconds that threads get to end, once the run has: those that were told to end do so about now."""
_LOOK_AGAIN: Final = 0.005


class LeftThreads:
    """The threads that this process has now and may keep; any other one is a run's."""

    def __init__(self) -> None:
        self._known = set(_running())

    def look(self) -> list[str]:
        """Return the names of threads that a run left behind."""
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
        strangers = running.keys() - self._known
        if not strangers:
            return []
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return [
            name for ident in strangers if not _is_idle(name := names.get(ident, f"thread {ident}"), running[ident])
        ]


def _running() -> dict[int, FrameType]:
    """Return the other threads that execute Python code, also those that `threading` did not start."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, its name notwithstanding
    del frames[threading.get_ident()]  # a frame that refers to itself would keep all of its callers
    return frames


def _is_idle(name: str, frame: FrameType) -> bool:
    """Return whether a thread of the event loop's pool has nothing to do: it ends, or waits for the pool's next call."""
    return name.startswith(_OURS) and frame.f_code.co_filename == pool.__file__
