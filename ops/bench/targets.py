"""Speed targets of Taxiway, shown beside the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.bench.figures import Figure, rounded
from ops.bench.plan import LONG
from ops.bench.ratios import US, Against, figure_of, times_better, times_worse
from ops.bench.systems.search import lists
from ops.bench.workloads import (
    BATCH,
    EACH,
    MILLISECONDS,
    P50,
    P99,
    PARKED_BESIDE,
    PER_SECOND,
    PERCENT,
    PROMOTIONS,
    SECONDS,
    SHARE,
    THROUGHPUT,
    TIME,
    Workload,
)


@dataclass(frozen=True)
class Target:
    """Bound of a figure: in its own unit, `times` better than another system, or at most so much worse than another workload."""

    workload: Workload
    metric: str
    at_most: float | None = None
    at_least: float | None = None
    unit: str = MILLISECONDS
    times: float | None = None
    against: Against | None = None
    worse_than: Workload | None = None

    def text(self) -> str:
        """Return the bound as text for a table."""
        if self.against:
            return f"≥ {self.times:g} times {self.against}"
        if self.worse_than:
            return f"≤ {self.times:g} times worse than “{self.worse_than}”"
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        return f"≤ {self.at_most:g} {self.unit}"

    def measured(self, figures: Sequence[Figure]) -> float | None:
        """Return the bounded value: a ratio, or a figure (for recovery times the worst), or None."""
        if self.against:
            ratio = times_better(figures, self.workload, self.metric, self.against)
            return None if ratio is None else rounded(ratio)
        if self.worse_than:
            ratio = times_worse(figures, self.workload, self.metric, self.worse_than)
            return None if ratio is None else rounded(ratio)
        figure = figure_of(figures, US, self.workload, self.metric)
        if figure is None:
            return None
        return figure.max if self.metric == TIME else figure.median

    def met(self, figures: Sequence[Figure]) -> bool | None:
        """Return whether the target is met; None if it was not measured."""
        measured = self.measured(figures)
        if measured is None:
            return None
        if self.worse_than:
            return measured <= (self.times or 0)
        if self.at_most is not None:
            return measured <= self.at_most
        return measured >= (self.at_least or self.times or 0)


TARGETS = (
    Target(Workload.ONE_STEP, THROUGHPUT, times=2, against=Against.DBOS),
    Target(Workload.ONE_STEP, THROUGHPUT, times=0.35, against=Against.CELERY),
    Target(Workload.TEN_STEPS, THROUGHPUT, times=4, against=Against.DBOS),
    Target(Workload.STEP, P50, at_most=1.2),
    Target(Workload.STEP, P50, times=3.5, against=Against.DBOS),
    Target(Workload.START, P50, at_most=15),
    Target(Workload.START, P99, at_most=40),
    *(Target(workload, P50, at_most=20) for workload in PARKED_BESIDE),
    *(Target(workload, P99, at_most=60) for workload in PARKED_BESIDE),
    Target(Workload.DECISION_EXECUTING, P50, at_most=30),
    Target(Workload.CANCEL_LOOP, P99, at_most=1000),
    Target(Workload.HOST_KILLED, TIME, at_most=0.5, unit=SECONDS),
    Target(Workload.CANCEL_BLOCKED, TIME, at_most=6, unit=SECONDS),
    Target(Workload.WORKER_KILLED, TIME, at_most=4, unit=SECONDS),
    *(Target(workload, THROUGHPUT, at_least=2000, unit=PER_SECOND) for workload in PROMOTIONS),
    *(Target(workload, EACH, times=1.3, worse_than=PROMOTIONS[0]) for workload in PROMOTIONS[1:]),
    Target(Workload.ONE_STEP_BACKLOG, THROUGHPUT, times=1.3, worse_than=Workload.ONE_STEP),
    Target(Workload.ENQUEUE_BACKLOG, BATCH, times=1.3, worse_than=Workload.ENQUEUE),
    *(Target(Workload.LISTS, name, at_most=50) for name in lists(LONG)),
    Target(Workload.ENQUEUE_READERS, P50, times=2, worse_than=Workload.ENQUEUE_HISTORY),
    Target(Workload.BUSY_50_MS, SHARE, at_least=85, unit=PERCENT),
    Target(Workload.BUSY_250_MS, SHARE, at_least=95, unit=PERCENT),
)
