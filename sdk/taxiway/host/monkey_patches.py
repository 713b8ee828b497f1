"""Libraries that replace Python's threads and sockets: the host needs the real ones and refuses such patches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

_NEEDED: Final = ("threading", "thread", "_thread", "select", "socket", "queue", "signal")
_LIBRARIES: Final = (
    ("gevent", "gevent.monkey", "is_module_patched", "gevent.monkey.patch_all()"),
    ("eventlet", "eventlet.patcher", "is_monkey_patched", "eventlet.monkey_patch()"),
)


def patched() -> str | None:
    """Return a sentence about modules that the agents' imports have patched, None if the host needs none of them."""
    for library, module, asks, call in _LIBRARIES:
        is_patched: Callable[[str], Any] | None = getattr(sys.modules.get(module), asks, None)
        if is_patched is not None and (names := [name for name in _NEEDED if is_patched(name)]):
            return (
                f"{library} has patched {', '.join(names)}, but agents run in Python's own threads and event loops: "
                f"leave out {call}, or call it in a process that a step starts"
            )
    return None
