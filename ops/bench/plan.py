"""Sizes of the long and the short form."""

from __future__ import annotations

from dataclasses import dataclass

from ops.bench.workloads import Workload


@dataclass(frozen=True)
class Plan:
    """One form of the benchmark; the sizes are those of each repetition, equal for every system."""

    repetitions: int
    workloads: tuple[Workload, ...]
    one_step_runs: int
    ten_step_runs: int
    tasks: int
    """Tasks of bare Celery, which are faster than any run."""
    steps: int
    """Steps of the run that measures single steps."""
    starts: int
    decisions: int
    enqueues: int
    batches: int
    cancels: int
    host_kills: int
    worker_kills: int
    blocked: int
    busy_seconds: float
    """Seconds for which runs keep all slots at work."""
    crowded_repetitions: int
    """Number of first repetitions that fill the tables with waiting runs."""
    large: int
    huge: int
    """Runs of the backlogs; the small one is of `small`."""
    searches: int
    """Requests of each list."""
    portions: int
    """Portions of slots that are offered to a backlog."""
    small: int = 1000
    portion: int = 1000
    slots: int = 10_000
    """Maximum of slots that are offered together."""
    batch: int = 1000


LONG = Plan(
    repetitions=5,
    workloads=tuple(Workload),
    one_step_runs=1000,
    ten_step_runs=300,
    tasks=3000,
    steps=200,
    starts=40,
    decisions=60,
    enqueues=300,
    batches=2,
    cancels=20,
    host_kills=3,
    worker_kills=2,
    blocked=2,
    busy_seconds=5,
    crowded_repetitions=3,
    large=100_000,
    huge=1_000_000,
    searches=20,
    portions=10,
)
NOT_SHORT = {Workload.WORKER_KILLED, Workload.CANCEL_BLOCKED, Workload.DECISION_100K, Workload.PROMOTION_LARGE}
"""Workloads of the long form only: each waits for a lease or a grace period, or fills tables with many rows."""
SHORT = Plan(
    repetitions=2,
    workloads=tuple(workload for workload in Workload if workload not in NOT_SHORT),
    one_step_runs=150,
    ten_step_runs=30,
    tasks=500,
    steps=100,
    starts=10,
    decisions=10,
    enqueues=50,
    batches=1,
    cancels=3,
    host_kills=1,
    worker_kills=0,
    blocked=0,
    busy_seconds=1.5,
    crowded_repetitions=1,
    large=20_000,
    huge=20_000,
    searches=5,
    portions=3,
    batch=200,
)
