"""Older workers of a queue, with an earlier record format: a newer worker waits until they have left.

They would execute recorded steps of its runs again. So the newer worker registers only when all older ones were drained or
their leases have expired.
"""

import time
from collections.abc import Callable

from models.fleet import workers
from models.runtime.facts import fact
from models.statement import Statement

_POLL_SECONDS = 0.5
_LOG_SECONDS = 10.0


def wait_for_older(
    queue: str, read: Callable[[Statement[str]], list[str]], pause: Callable[[float], None] = time.sleep
) -> None:
    """Return when no worker of an earlier record format serves the queue; log every ten seconds which ones still do."""
    logged_at = -_LOG_SECONDS
    while names := read(workers.older(queue)):
        if (now := time.monotonic()) - logged_at >= _LOG_SECONDS:
            logged_at = now
            why = "they do not know what this version records: drain them; it begins when they have left"
            fact("worker.waits_for_older", level="warning", queue=queue, workers=",".join(names), why=why)
        pause(_POLL_SECONDS)
