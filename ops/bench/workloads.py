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
    DECISION = "decision over HTTP → run claimed"
    DECISION_10K = "the same beside 10,000 parked runs"
    DECISION_100K = "the same beside 100,000 parked runs"
    PARKED = "one more parked run, all its rows and index entries"
    ENQUEUE = "enqueue over HTTP"

    @property
    def key(self) -> str:
        """Return the word for the command line, such as `ten-steps`."""
        return self.name.lower().replace("_", "-")


PARKED_BESIDE = {Workload.DECISION: 0, Workload.DECISION_10K: 10_000, Workload.DECISION_100K: 100_000}
BY_KEY = {workload.key: workload for workload in Workload}

THROUGHPUT = "throughput"
UNQUEUED = "throughput, called directly"
"""Of a system that has nothing to enqueue: shown, but no ratio is made of it."""
P50, P99 = "p50", "p99"
TIME = "time"
SIZE = "size"
SINGLE, BATCH = "one by one", "in batches"

PER_SECOND, MILLISECONDS, SECONDS, BYTES = "runs/s", "ms", "s", "bytes"


def more_is_better(unit: str) -> bool:
    return unit == PER_SECOND
