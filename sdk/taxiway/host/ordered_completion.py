"""Has `asyncio.as_completed` start its tasks in the order in which they are given to it, once this module is imported.

It puts what it is given into a set, and coroutines have no order in one: the same code would start its tasks in another order in
each activation of a run, and the calls in them would change places. Everything else of asyncio starts tasks in order. In loops
that carry no agents nothing changes.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Iterable
from typing import Any, Final

KEEPS_ORDER: Final = "keeps_order"
"""The attribute of a loop that carries an agent."""
_original: Final = asyncio.as_completed


@functools.wraps(_original)
def as_completed(fs: Iterable[Any], **options: Any) -> Any:
    """Do as the original does, with tasks that were started in order."""
    if not _is_agents():
        return _original(fs, **options)
    return _original([asyncio.ensure_future(one) for one in dict.fromkeys(fs)], **options)


def _is_agents() -> bool:
    try:
        return hasattr(asyncio.get_running_loop(), KEEPS_ORDER)
    except RuntimeError:
        return False


def replace_copies() -> None:
    """Give it to the modules that have taken the original out of asyncio before, by whatever name."""
    for module in list(sys.modules.values()):
        if (names := getattr(module, "__dict__", None)) is None or names is globals():
            continue
        for name in [name for name, value in list(names.items()) if value is _original]:
            names[name] = as_completed


asyncio.as_completed = asyncio.tasks.as_completed = as_completed
