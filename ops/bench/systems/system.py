"""Interface of a measured system: start it for its turn, measure, stop it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ops.bench.figures import Sample
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.workloads import Workload


class CannotMeasure(Exception):
    """An expected event did not happen; the message describes it."""


class System(Protocol):
    """A system under measurement."""

    name: str
    workloads: frozenset[Workload]
    """The workloads in which it takes part."""

    def up(self, servers: BenchServers) -> None:
        """Start everything and warm up; on an error leave nothing running."""

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        """Measure one repetition."""

    def down(self) -> None:
        """End all processes."""
