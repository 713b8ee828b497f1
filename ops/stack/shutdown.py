"""Common shutdown of children: all are signalled and get the same time, then the rest is killed with its groups."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from ops.child import Child
from ops.stack.halt import Halt

LOOK_EVERY = 0.02


def end(children: Sequence[Child], patience: float, halt: Halt) -> None:
    """Return when all have ended: after at most `patience` seconds, or immediately if the halt is hastened."""
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(child.running for child in children) and time.monotonic() < deadline and not halt.hastened.is_set():
        time.sleep(LOOK_EVERY)
    for child in children:
        child.kill()
