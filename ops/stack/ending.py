"""Ends children together: all are asked, all get the same time, whoever is left is killed with its group."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from ops.child import Child
from ops.stack.halt import Halt

LOOK_EVERY = 0.02


def end(children: Sequence[Child], patience: float, halt: Halt) -> None:
    """Return when all have ended, at the latest after `patience` seconds, or at once when the halt is hastened."""
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(child.running for child in children) and time.monotonic() < deadline and not halt.hastened.is_set():
        time.sleep(LOOK_EVERY)
    for child in children:
        child.kill()
