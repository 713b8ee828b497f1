"""What is measured: each workload's name, and in which direction its figures are better."""

from __future__ import annotations

from enum import StrEnum


class Workload(StrEnum):
    """The names under which figures are reported; the member's own name chooses it on the command line."""

    ONE_STEP = "1-step runs, batch enqueue to finish"
    TEN_STEPS = "10-step runs"
    STEP = "step, sequential"
    START = "enqueue over HTTP → first step starts, idle"
    CANCEL_LOOP = "cancel of while True: pass"
    HOST_KILLED = "host killed → step running again"
    CANCEL_BLOCKED = "cancel of a blocking C call"
    WORKER_KILLED = "worker kill -9 → running again elsewhere"
    ENQUEUE = "enqueue over HTTP"

    @property
    def key(self) -> str:
        """Return the word for the command line, such as `ten-steps`."""
        return self.name.lower().replace("_", "-")


BY_KEY = {workload.key: workload for workload in Workload}

THROUGHPUT = "throughput"
UNQUEUED = "throughput, called directly"
"""Of a system that has nothing to enqueue: shown, but no ratio is made of it."""
P50, P99 = "p50", "p99"
TIME = "time"
SINGLE, BATCH = "one by one", "in batches"

PER_SECOND, MILLISECONDS, SECONDS = "runs/s", "ms", "s"


def more_is_better(unit: str) -> bool:
    return unit == PER_SECOND
