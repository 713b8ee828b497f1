"""An effect log outside of the system: one line for each effect of agent code, appended immediately."""

from __future__ import annotations

import json
import os
from typing import Any


def note(log: str, what: str, run: str, activation: int, **more: Any) -> None:
    """Append one line; lines of many processes never mix."""
    line = json.dumps({"what": what, "run": run, "activation": activation, "pid": os.getpid(), **more}) + "\n"
    file = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
