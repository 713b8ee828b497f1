"""Long polling for a run's result: the next call, the length of a pause, the time to give up. No I/O.

`until_finished` is a plan: a generator that yields calls and pauses, receives the answers (or the errors, thrown) and
returns the finished run. The sync and the async client each drive it with their own I/O.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from taxiway.client import calls
from taxiway.client.backoff import Backoff
from taxiway.client.errors import NotFinished, RunCanceled, RunFailed
from taxiway.client.views import RunView
from taxiway.codec import resulted
from taxiway.errors import TaxiwayError
from taxiway.shapes import Shape

LONG_POLL = 25
# The server answers a long poll on a parked run immediately; without a pause the client would poll in a tight loop.
AT_ONCE = 0.4
PAUSES = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Pause:
    """Wait for these seconds."""

    seconds: float


Plan = Generator[calls.Call[RunView] | Pause, Any, RunView]


def until_finished(
    run_id: str, timeout: float | None, backoff: Backoff, clock: Callable[[], float] = time.monotonic
) -> Plan:
    """Return the run once it has ended. Raises NotFinished after `timeout` seconds."""
    deadline = math.inf if timeout is None else clock() + timeout
    idle = 0
    while True:
        asked = clock()
        left = deadline - asked
        pause = 0.0
        try:
            run: RunView = yield calls.wait(run_id, int(min(LONG_POLL, left))) if left >= 1 else calls.run(run_id)
        except TaxiwayError as error:
            pause = backoff.after(error)
            if left <= 0:
                raise
        else:
            backoff.reset()
            if run.finished:
                return run
            if left <= 0:
                raise NotFinished(run, timeout or 0.0)
            idle = idle + 1 if clock() - asked < AT_ONCE else 0
            if idle:
                pause = PAUSES[min(idle, len(PAUSES)) - 1]
        yield Pause(max(0.0, min(pause, deadline - clock())))


def outcome(run: RunView, shape: Shape | None = None) -> Any:
    """Return the result of a finished run, in the form of `shape`; raise RunFailed or RunCanceled if it has none."""
    if run.status == "FAILED":
        raise RunFailed(run)
    if run.status == "CANCELED":
        raise RunCanceled(run)
    return resulted(shape, run.result)
