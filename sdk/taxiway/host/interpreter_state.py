"""State of the interpreter: its hooks, its garbage collector, its built-in functions. Part of `process_state`.

Import hooks (`sys.meta_path`) are left out: they belong to imported modules, which stay. Functions registered for forks and
for the end of the process are left out too: Python does not list them, and a module that a run imports first registers both.
"""

from __future__ import annotations

import builtins
import codecs
import functools
import gc
import sys
import threading
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from taxiway.host.restorable import Restorable

_HOOKS: Final = ("excepthook", "unraisablehook", "displayhook", "breakpointhook")
_ERRORS: Final = ("strict", "ignore", "replace", "surrogateescape", "backslashreplace")
_BUILTIN: Final = (
    "open",
    "print",
    "__import__",
    "getattr",
    "setattr",
    "isinstance",
    "len",
    "map",
    "type",
    "super",
    "exec",
    "compile",
)
"""Functions that all code uses. Not all names: reading 160 takes 5 us."""
_builtin: Final = itemgetter(*_BUILTIN)
_monitoring: Final[Any] = getattr(sys, "monitoring", None)  # Python 3.12
_TOOLS: Final = range(6)
_audits: Final[list[object]] = []


def note_audit_hooks() -> None:
    """Record audit hooks that are added from now on: Python cannot list or remove them, and each sees all code."""
    original = sys.addaudithook

    @functools.wraps(original)
    def addaudithook(hook: Callable[[str, tuple[Any, ...]], Any]) -> None:
        original(hook)
        _audits.append(hook)

    sys.addaudithook = addaudithook


def _hooks() -> list[Any]:
    return [sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook, threading.excepthook]


def _restore_hooks(was: list[Any]) -> None:
    for name, hook in zip(_HOOKS, was, strict=False):
        setattr(sys, name, hook)
    threading.excepthook = was[-1]


def _of_threads() -> tuple[Any, Any]:
    return threading.gettrace(), threading.getprofile()


def _restore_of_threads(was: tuple[Any, Any]) -> None:
    threading.settrace(was[0])
    threading.setprofile(was[1])


def _collector() -> tuple[Any, ...]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug(), list(gc.callbacks)


def _restore_collector(was: tuple[Any, ...]) -> None:
    enabled, thresholds, debug, gc.callbacks[:] = was
    gc.enable() if enabled else gc.disable()
    gc.set_threshold(*thresholds)
    gc.set_debug(debug)


def _restore_builtin(was: tuple[Any, ...]) -> None:
    vars(builtins).update(zip(_BUILTIN, was, strict=True))


def _tools() -> list[str | None]:
    return [] if _monitoring is None else list(map(_monitoring.get_tool, _TOOLS))


def _restore_tools(was: list[str | None]) -> None:
    for tool, name in enumerate(was):
        if name is None and _monitoring.get_tool(tool) is not None:
            _monitoring.set_events(tool, 0)
            _monitoring.free_tool_id(tool)


def _codec_errors() -> list[Any]:
    return list(map(codecs.lookup_error, _ERRORS))


def _restore_codec_errors(was: list[Any]) -> None:
    for name, handler in zip(_ERRORS, was, strict=True):
        codecs.register_error(name, handler)


def of_interpreter() -> tuple[Restorable, ...]:
    """Return the parts of the interpreter's state."""
    return (
        Restorable("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        Restorable("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
        Restorable("the garbage collector", _collector, _restore_collector),
        Restorable("the trace function", sys.gettrace, sys.settrace),
        Restorable("the profile function", sys.getprofile, sys.setprofile),
        Restorable("the trace and profile functions of threads", _of_threads, _restore_of_threads),
        Restorable("monitoring tools", _tools, _restore_tools),
        Restorable("the hooks for exceptions", _hooks, _restore_hooks),
        Restorable("the error handlers of codecs", _codec_errors, _restore_codec_errors),
        Restorable("an audit hook", _audits.copy),
        Restorable("the built-in functions", lambda: _builtin(vars(builtins)), _restore_builtin),
    )
