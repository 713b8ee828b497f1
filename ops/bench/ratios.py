"""Ratios of Taxiway to other systems: how many times better, for units in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ops.bench.figures import Figure
from ops.bench.workloads import Workload, more_is_better

US = "taxiway"


class Against(StrEnum):
    """The other system of a ratio; of several ways to use it, the better one counts."""

    DBOS = "DBOS"
    CELERY = "bare Celery"

    @property
    def systems(self) -> tuple[str, ...]:
        return ("dbos", "dbos without queue") if self is Against.DBOS else ("celery",)


@dataclass(frozen=True)
class Ratio:
    """Above 1: Taxiway is better by that factor."""

    workload: str
    metric: str
    against: Against
    value: float


def figure_of(figures: Sequence[Figure], system: str, workload: str, metric: str) -> Figure | None:
    """Return the figure, or None if it was not measured."""
    return next((f for f in figures if (f.system, f.workload, f.metric) == (system, workload, metric)), None)


def times_better(figures: Sequence[Figure], workload: str, metric: str, against: Against) -> float | None:
    """Return the factor by which Taxiway's median is better than the other's best one, or None without both."""
    ours = figure_of(figures, US, workload, metric)
    theirs = [f for system in against.systems if (f := figure_of(figures, system, workload, metric))]
    if ours is None or not theirs:
        return None
    if more_is_better(ours.unit):
        return ours.median / max(figure.median for figure in theirs)
    return min(figure.median for figure in theirs) / ours.median


def times_worse(figures: Sequence[Figure], workload: Workload, metric: str, than: Workload) -> float | None:
    """Return the factor by which Taxiway's median is worse than that of another workload, or None without both."""
    this, other = (figure_of(figures, US, each, metric) for each in (workload, than))
    if this is None or other is None:
        return None
    return other.median / this.median if more_is_better(this.unit) else this.median / other.median


def ratios(figures: Sequence[Figure]) -> list[Ratio]:
    """Return all ratios of the figures, in the order of the workloads."""
    metrics = dict.fromkeys((figure.workload, figure.metric) for figure in figures if figure.system == US)
    order = {str(workload): n for n, workload in enumerate(Workload)}
    found = []
    for workload, metric in sorted(metrics, key=lambda key: order.get(key[0], len(order))):
        for against in Against:
            value = times_better(figures, workload, metric, against)
            if value is not None:
                found.append(Ratio(workload, metric, against, value))
    return found
