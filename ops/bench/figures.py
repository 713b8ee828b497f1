"""Figures from samples: median, minimum and maximum over the repetitions."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Sample:
    """The value of one metric in one repetition."""

    workload: str
    metric: str
    unit: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One metric of one system over `n` repetitions; a line of `build/bench.json`."""

    system: str
    workload: str
    metric: str
    median: float
    min: float
    max: float
    unit: str
    n: int


@dataclass
class Samples:
    """Collects samples by system, workload and metric, in order of first occurrence."""

    values: dict[Key, list[float]] = field(default_factory=dict)

    def add(self, system: str, sample: Sample) -> None:
        key = (system, sample.workload, sample.metric, sample.unit)
        self.values.setdefault(key, []).append(sample.value)

    def figures(self) -> list[Figure]:
        """Return one figure for each metric that has samples."""
        return [_figure(key, values) for key, values in self.values.items()]


def _figure(key: Key, values: Sequence[float]) -> Figure:
    system, workload, metric, unit = key
    median = statistics.median(values)
    return Figure(
        system, workload, metric, rounded(median), rounded(min(values)), rounded(max(values)), unit, len(values)
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed (nearest rank, so always a sample)."""
    rank = math.ceil(share * len(values))
    return sorted(values)[max(rank, 1) - 1]


def rounded(value: float) -> float:
    """Round to four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def to_json(figures: Iterable[Figure]) -> str:
    """Return the text of `build/bench.json`: a list with one figure per line."""
    lines = (json.dumps(asdict(figure), ensure_ascii=False) for figure in figures)
    return "[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n"


def from_json(text: str) -> list[Figure]:
    """Read what `to_json` wrote."""
    return [Figure(**line) for line in json.loads(text)]
