"""Finds the line of the agent's own code that called a verb."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

_OURS: Final = str(Path(__file__).parent) + "/"
_LIBRARY: Final = str(Path(os.__file__).parent) + "/"
_INSTALLED: Final = str(Path(os.__file__).parent / "site-packages") + "/"


def caller() -> tuple[CodeType, int] | None:
    """Return the code and the line that called into Taxiway or the standard library; None when there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to look at the stack without its cost
    while frame is not None and _is_foreign(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lineno)


def place_of(found: tuple[CodeType, int] | None) -> str:
    """Return a place as `file:line`."""
    return "an unknown place" if found is None else f"{found[0].co_filename}:{found[1]}"


def _is_foreign(file: str) -> bool:
    if file.startswith(_LIBRARY):
        return not file.startswith(_INSTALLED)
    return file.startswith((_OURS, "<frozen "))
