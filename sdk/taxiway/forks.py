"""Forks of agent code: a child process is not part of its run, and ends where it would return to the host.

A forked child has a copy of everything, including the host's frames and the code around the step. It may compute, print and
end like any process; only the parent writes frames of the run.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Final, NoReturn, Self

_FAILED: Final = 1
_host: int | None = None
"""The process that writes frames of runs, once `register_host` was called."""


def register_host(hang_up: Callable[[], None]) -> None:
    """Call `hang_up` in every child that is forked from this process, and refuse verbs of runs there.

    Call it before agents are imported: functions are called in the order of their registration. A fork by C code calls none:
    that child keeps its copies of descriptors, but its verbs are refused as well, and it ends with the activation.
    """
    global _host  # noqa: PLW0603 - a fact about this process
    _host = os.getpid()
    # A line that was not flushed before the fork would be printed by both processes.
    os.register_at_fork(before=_flush, after_in_child=hang_up)


def refuse_in_child(verb: str) -> None:
    """Raise RuntimeError in a forked child of a run's process."""
    if _host is not None and os.getpid() != _host:
        raise RuntimeError(
            f"{verb} was called in a forked child process; only the process of the run may call it: "
            "let the child print or return its values, and the parent use them"
        )


class ChildEndsHere:
    """A context that ends a process which was forked within it, with the exit status of its code."""

    def __enter__(self) -> Self:
        self._process = os.getpid()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._process:
            _end(error)


def _end(error: BaseException | None) -> NoReturn:
    """End as Python would, but without exit handlers, which belong to the parent."""
    status = _FAILED
    try:
        status = _status(error)
        _flush()
    finally:
        os._exit(status)
    raise SystemExit(status)  # unreachable; for type checkers


def _status(error: BaseException | None) -> int:
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return _FAILED
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return _FAILED


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the agent may have replaced or closed them
            stream.flush()
