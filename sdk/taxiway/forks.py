"""Forks of agent code: a child process is no part of its run, and ends where it would come back to the host.

A forked child has a copy of everything, also of the host's frames and of the code around the step. It may compute, print and
end as any process does; only the parent speaks for the run.
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
"""The process that speaks for runs, once one has said so."""


def register_host(hang_up: Callable[[], None]) -> None:
    """Call `hang_up` in every process that is forked from this one, and refuse that it speaks for a run.

    Call it before agents are imported: what is registered first is called first. A fork by C code calls nothing: that child
    keeps its copies of descriptors, yet does not speak for the run either, and ends with the activation.
    """
    global _host  # noqa: PLW0603 - a fact about this process
    _host = os.getpid()
    # A line that was not flushed before the fork would be printed by both processes.
    os.register_at_fork(before=_flush, after_in_child=hang_up)


def refuse_in_child(verb: str) -> None:
    """Raise RuntimeError in a forked child of a run's process."""
    if _host is not None and os.getpid() != _host:
        raise RuntimeError(
            f"{verb} was called in a forked child process; only the process of the run may do that: "
            "let the child print or return its values, and the parent use them"
        )


class ChildEndsHere:
    """A context that ends a process which was forked within it, with the status that its code asks for."""

    def __enter__(self) -> Self:
        self._process = os.getpid()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._process:
            _end(error)


def _end(error: BaseException | None) -> NoReturn:
    """End as Python would, but without exit handlers: these are the parent's."""
    status = _FAILED
    try:
        status = _status(error)
        _flush()
    finally:
        os._exit(status)
    raise SystemExit(status)  # unreachable: says so to type checkers


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
        with contextlib.suppress(Exception):  # the agent may have put anything in their place, or closed them
            stream.flush()
