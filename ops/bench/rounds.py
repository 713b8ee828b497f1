"""Order of the measurements: each repetition gives every system one turn, so that a disturbance affects all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ops.bench.figures import Sample, Samples
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.system import System
from ops.bench.workloads import CROWDED, Workload


@dataclass(frozen=True)
class Turn:
    """The workloads of one system in one repetition."""

    repetition: int
    system: System
    workloads: tuple[Workload, ...]


def turns(systems: Sequence[System], plan: Plan) -> list[Turn]:
    """Return the turns A B C A B C …, without systems that have no workload in the plan."""
    found = []
    for repetition in range(1, plan.repetitions + 1):
        for system in systems:
            workloads = tuple(
                workload
                for workload in plan.workloads
                if workload in system.workloads and (workload not in CROWDED or repetition <= plan.crowded_repetitions)
            )
            if workloads:
                found.append(Turn(repetition, system, workloads))
    return found


def measure(
    planned: Iterable[Turn],
    servers: BenchServers,
    plan: Plan,
    show: Callable[[Turn, Workload | None, list[Sample]], None],
) -> Samples:
    """Take all turns; calls `show` for each start (without a workload) and for each measured workload."""
    samples = Samples()
    for turn in planned:
        show(turn, None, [])
        turn.system.up(servers)
        try:
            for workload in turn.workloads:
                measured = list(turn.system.measure(workload, plan))
                for sample in measured:
                    samples.add(turn.system.name, sample)
                show(turn, workload, measured)
        finally:
            turn.system.down()
    return samples
