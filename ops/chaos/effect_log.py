"""Log outside the system: the agents of the load write each begin and end of a step to it immediately.

It needs no argument of a step, because a replay compares arguments.
"""

from __future__ import annotations

import json
import os
import time
from contextvars import ContextVar
from typing import Any, Final

from taxiway import AsyncRun, Run, step_info

_here: Final[ContextVar[dict[str, Any]]] = ContextVar("here")
"""The present activation: a step executes in the context of its agent."""


def at(run: Run | AsyncRun) -> None:
    """Set the present activation."""
    _here.set({"run": run.id, "activation": run.activation})


def note(what: str, **more: Any) -> None:
    """Append one line; lines of several processes never mix."""
    line = {"what": what, **_here.get(), "pid": os.getpid(), "at": time.time(), **more}
    file = os.open(os.environ["CHAOS_EFFECTS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(file, (json.dumps(line) + "\n").encode())
    finally:
        os.close(file)


def say(what: str) -> None:
    """Append a line of the present step."""
    info = step_info()
    note(what, key=info.key, attempt=info.attempt)
