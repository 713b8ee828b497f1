"""Texts that can be stored, such as messages and tracebacks: bounded, and without NUL and lone surrogates."""

from __future__ import annotations

import traceback
from typing import Final

MAX_MESSAGE: Final = 4_096
MAX_REPORT: Final = 16_384
MAX_LOG: Final = 65_536

_OWN_FILES: Final = __file__.rpartition("/")[0] + "/"


def storable(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return `text` without NUL and lone surrogates, cut to `limit` characters."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit:,} more characters)"
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def message_of(error: BaseException) -> str:
    """Return the message of an exception, even if reading it fails."""
    try:
        return storable(str(error))
    except Exception as second:  # noqa: BLE001 - foreign code, and the first error matters more
        return f"(its message cannot be read: {type(second).__name__})"


def report_of(error: BaseException) -> str:
    """Return the traceback of an exception with the frames of the agent's code only; of a long one the end."""
    try:
        summary = traceback.TracebackException.from_exception(error, limit=-50, lookup_lines=True)
        theirs = [frame for frame in summary.stack if not frame.filename.startswith(_OWN_FILES)]
        summary.stack = traceback.StackSummary.from_list(theirs)
        text = "".join(summary.format())
    except Exception as second:  # noqa: BLE001 - as above
        return f"(no traceback: {type(second).__name__})"
    return storable(text[-MAX_REPORT:], MAX_REPORT)
