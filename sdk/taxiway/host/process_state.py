"""State of the process that a run may change: folder, environment, limits, signals, streams, hooks, rights.

It is read once when the agents are loaded, compared after each activation, and restored. A part that cannot be restored ends
the process. Imported modules and the state of imports stay as they are: `sys.modules`, `sys.path`, warning filters.
"""

from __future__ import annotations

import contextlib
import locale
import os
import resource
import signal
import socket
import time
from typing import Any, Final

from taxiway.host.interpreter_state import of_interpreter
from taxiway.host.kernel_state import of_kernel
from taxiway.host.restorable import Restorable
from taxiway.host.streams import Streams

_LIMITS: Final = tuple(sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}))
_SIGNALS: Final = tuple(sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP} - set(range(32, 65))))
_handler_of: Final = getattr(signal, "_signal", signal).getsignal  # without the enum: 2 us for all, not 13
_environ: Final[dict[bytes, bytes] | None] = vars(os.environb).get("_data")  # its whole dict: 1 us, not 13
_UNREADABLE: Final = object()
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class ProcessState:
    """The state of this process as it is now; made when the agents are loaded. Used by the main thread only."""

    def __init__(self) -> None:
        everything = (*_PLAIN, _streams(), *of_interpreter(), *of_kernel())
        self._kept = [(belonging, _now(belonging)) for belonging in everything]

    def restore(self) -> list[str]:
        """Restore the changed parts; return the names of those that cannot be restored."""
        return [belonging.name for belonging, was in self._kept if _now(belonging) != was and not _put(belonging, was)]


def _put(belonging: Restorable, was: Any) -> bool:
    if belonging.restore is None:
        return False
    with contextlib.suppress(Exception):  # the comparison below decides, whatever was raised
        belonging.restore(was)
    return bool(_now(belonging) == was)


def _now(belonging: Restorable) -> Any:
    try:
        return belonging.read()
    except Exception:  # noqa: BLE001 - a run has deleted what is read, or the system lacks it
        return _UNREADABLE


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path costs ten times as much, and this is read after each activation
    except OSError:  # it was deleted
        return None


def _environment() -> dict[bytes, bytes]:
    return dict(os.environb) if _environ is None else dict(_environ)


def _restore_environment(was: dict[bytes, bytes]) -> None:
    zone = os.environb.get(b"TZ")
    for name in os.environb.keys() - was.keys():
        del os.environb[name]
    os.environb.update(was)
    if zone != was.get(b"TZ"):
        time.tzset()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _limits() -> list[tuple[int, int]]:
    return list(map(resource.getrlimit, _LIMITS))


def _restore_limits(was: list[tuple[int, int]]) -> None:
    for limit, pair in zip(_LIMITS, was, strict=True):
        if resource.getrlimit(limit) != pair:
            resource.setrlimit(limit, pair)


def _handlers() -> list[Any]:
    return list(map(_handler_of, _SIGNALS))


def _restore_handlers(was: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, was, strict=True):
        if _handler_of(number) != handler:
            signal.signal(number, handler)


def _streams() -> Restorable:
    streams = Streams()
    return Restorable("the standard streams", streams.read, streams.restore)


_PLAIN: Final = (
    Restorable("the current folder", _folder, os.chdir),
    Restorable("the environment", _environment, _restore_environment),
    Restorable("the umask", _umask, os.umask),
    Restorable("resource limits", _limits, _restore_limits),
    Restorable("signal handlers", _handlers, _restore_handlers),
    Restorable(
        "blocked signals",
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda was: signal.pthread_sigmask(signal.SIG_SETMASK, was),
    ),
    Restorable(
        "timers",
        lambda: [signal.getitimer(timer) for timer in _TIMERS],
        lambda _: [signal.setitimer(timer, 0) for timer in _TIMERS],
    ),
    Restorable("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda was: locale.setlocale(locale.LC_ALL, was)),
    Restorable("the default time-out of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
)
