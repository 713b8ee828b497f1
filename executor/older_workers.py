"""A worker does not execute beside workers of its queue that do not know what it records.

They would execute recorded steps of its runs again. So it registers only when none of them is alive any more: once they were
drained, or their leases have run out.
"""

import time
from collections.abc import Callable

from models.fleet import workers
from models.runtime.facts import fact
from models.statement import Statement

_LOOK_AGAIN = 0.5
_SAY_AGAIN = 10.0


def wait_for_older(
    queue: str, read: Callable[[Statement[str]], list[str]], pause: Callable[[float], None] = time.sleep
) -> None:
    """Return when no worker of an earlier record format serves the queue; say every ten seconds which ones do."""
    said = -_SAY_AGAIN
    while names := read(workers.older(queue)):
        if (now := time.monotonic()) - said >= _SAY_AGAIN:
            said = now
            why = "they do not know what this version records: drain them; it begins when they have left"
            fact("worker.waits_for_older", level="warning", queue=queue, workers=",".join(names), why=why)
        pause(_LOOK_AGAIN)
