"""Lines of the agent's own code: the line that called a verb, and the line where a function begins."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_SDK_FOLDER: Final = str(Path(__file__).parent) + "/"
_LIBRARY: Final = str(Path(os.__file__).parent) + "/"
_INSTALLED: Final = str(Path(os.__file__).parent / "site-packages") + "/"


def caller() -> tuple[CodeType, int] | None:
    """Return the code and line that called into Taxiway or the standard library, None if no agent code is on the stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented, and much cheaper than inspect.stack
    while frame is not None and _is_foreign(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lineno)


def place_of(found: tuple[CodeType, int] | None) -> str:
    """Return a place as `file:line`."""
    return "an unknown place" if found is None else f"{found[0].co_filename}:{found[1]}"


def definition_hint(function: Callable[..., Any]) -> str:
    """Return the end of a sentence with a function's file and line, empty for a function that is not written in Python."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return f"; see {place_of((code, code.co_firstlineno))}" if isinstance(code, CodeType) else ""


def _is_foreign(file: str) -> bool:
    if file.startswith(_LIBRARY):
        return not file.startswith(_INSTALLED)
    return file.startswith((_SDK_FOLDER, "<frozen "))
