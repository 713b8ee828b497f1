"""Replacement of `asyncio.as_completed` that starts its tasks in the given order; active once this module is imported.

The original puts its arguments into a set, in which coroutines have no order. The same code would start its tasks in another
order in each activation of a run, and their calls would change places. The other functions of asyncio start tasks in order.
Loops without agents keep the original behaviour.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Iterable
from typing import Any, Final

KEEPS_ORDER: Final = "keeps_order"
"""The attribute of a loop that runs an agent."""
_original: Final = asyncio.as_completed


@functools.wraps(_original)
def as_completed(fs: Iterable[Any], **options: Any) -> Any:
    """Return the original's iterator over tasks that were started in order."""
    if not _is_agents():
        return _original(fs, **options)
    return _original([asyncio.ensure_future(one) for one in dict.fromkeys(fs)], **options)


def _is_agents() -> bool:
    try:
        return hasattr(asyncio.get_running_loop(), KEEPS_ORDER)
    except RuntimeError:
        return False


def replace_copies() -> None:
    """Replace the original in modules that have imported it from asyncio before, under any name."""
    for module in list(sys.modules.values()):
        if (names := getattr(module, "__dict__", None)) is None or names is globals():
            continue
        for name in [name for name, value in list(names.items()) if value is _original]:
            names[name] = as_completed


asyncio.as_completed = asyncio.tasks.as_completed = as_completed
