"""Workloads: their names, and the direction in which their figures are better."""

from __future__ import annotations

from enum import StrEnum


class Workload(StrEnum):
    """Names of workloads in the figures; the member's own name selects it on the command line."""

    ONE_STEP = "1-step runs, batch enqueue to finish"
    TEN_STEPS = "10-step runs"
    STEP = "step, sequential"
    START = "enqueue over HTTP → first step starts, idle"
    BUSY_50_MS = "slots at work, runs of 50 ms"
    BUSY_250_MS = "slots at work, runs of 250 ms"
    CANCEL_LOOP = "cancel of while True: pass"
    HOST_KILLED = "host killed → step running again"
    CANCEL_BLOCKED = "cancel of a blocking C call"
    WORKER_KILLED = "worker kill -9 → running again elsewhere"
    DECISION_EXECUTING = "decision over HTTP → executing agent has it"
    DECISION = "decision over HTTP → run claimed"
    DECISION_10K = "the same beside 10,000 parked runs"
    DECISION_100K = "the same beside 100,000 parked runs"
    PARKED = "one more parked run, all its rows and index entries"
    PROMOTION = "promotion, small backlog"
    PROMOTION_LARGE = "promotion, large backlog of many tenants"
    PROMOTION_HUGE = "promotion, huge backlog of very many tenants"
    PROMOTION_BATCHES = "promotion, huge backlog, tenant after tenant"
    PROMOTION_WINDOW = "promotion, huge backlog behind a closed window"
    PROMOTION_KEY = "promotion, huge backlog behind a full key"
    PROMOTION_UNSERVED = "promotion, huge backlog of an unserved agent"
    LISTS = "lists beside a long history"
    ENQUEUE_HISTORY = "enqueue over HTTP beside a long history"
    ENQUEUE_READERS = "the same while 20 readers search"
    ONE_STEP_BACKLOG = "1-step runs beside a huge backlog"
    ENQUEUE = "enqueue over HTTP"
    ENQUEUE_BACKLOG = "enqueue over HTTP beside a huge backlog"

    @property
    def key(self) -> str:
        """Return the word for the command line, such as `ten-steps`."""
        return self.name.lower().replace("_", "-")


PARKED_BESIDE = {Workload.DECISION: 0, Workload.DECISION_10K: 10_000, Workload.DECISION_100K: 100_000}
PROMOTIONS = tuple(workload for workload in Workload if workload.name.startswith("PROMOTION"))
"""Workloads without a worker, measured by a system of their own."""
SEARCHES = (Workload.LISTS, Workload.ENQUEUE_HISTORY, Workload.ENQUEUE_READERS)
"""Workloads without a worker, but with a history."""
CROWDED = frozenset({*PROMOTIONS, *SEARCHES, Workload.ONE_STEP_BACKLOG, Workload.ENQUEUE_BACKLOG})
"""Workloads that fill tables first, which takes longer than the measurement: not in every repetition."""
BUSY_SECONDS = {Workload.BUSY_50_MS: 0.05, Workload.BUSY_250_MS: 0.25}
BY_KEY = {workload.key: workload for workload in Workload}

THROUGHPUT = "throughput"
UNQUEUED = "throughput, called directly"
"""Metric of a system without a queue: shown, but not used for ratios."""
P50, P99 = "p50", "p99"
TIME = "time"
SIZE = "size"
SINGLE, BATCH = "one by one", "in batches"
EACH = "time per promotion"
SHARE = "share of the time"

PER_SECOND, MILLISECONDS, SECONDS, BYTES, PERCENT = "runs/s", "ms", "s", "bytes", "%"


def more_is_better(unit: str) -> bool:
    return unit in {PER_SECOND, PERCENT}
