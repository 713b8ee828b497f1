"""An exception raised in a frame before its next instruction, by a trace function as in debuggers.

Code after an author's mistake is not executed, not even on the same line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

_SDK_FOLDER: Final = str(Path(__file__).parent) + "/"


def raise_in_frame(frame: FrameType, error: BaseException) -> None:
    """Raise `error` in a calling frame of this thread, unless that frame ends before."""
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
