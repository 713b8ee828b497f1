"""Stops code where it stands: an exception is raised in a frame before its next instruction.

It is done as debuggers do it, by a trace function. What is behind an author's mistake on the same line, or in the next call, is
not executed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

_SDK_FOLDER: Final = str(Path(__file__).parent) + "/"


def raise_in_frame(frame: FrameType, error: BaseException) -> None:
    """Have `error` raised in a frame of this thread that called the present one, unless it ends before."""
    before = sys.gettrace()

    def trace(here: FrameType, _event: str, _about: Any) -> None:
        if here is not frame and here.f_code.co_filename.startswith(_SDK_FOLDER):
            return  # on the way back to the frame
        sys.settrace(before)
        frame.f_trace = None
        frame.f_trace_opcodes = False
        if here is frame:
            raise error

    frame.f_trace_opcodes = True
    frame.f_trace = trace
    sys.settrace(trace)
