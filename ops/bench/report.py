"""Output on the terminal: progress during the measurements, a table of figures and ratios at the end."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.bench.figures import Figure, Sample, rounded
from ops.bench.ratios import ratios
from ops.bench.rounds import Turn
from ops.bench.targets import TARGETS
from ops.bench.workloads import Workload
from ops.console import console, say


class Shown:
    """A progress bar over workloads, and a line for each measured workload."""

    def __init__(self, planned: Sequence[Turn]) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self.progress = Progress(*columns, TimeElapsedColumn(), console=console)
        self.task = self.progress.add_task("", total=sum(len(turn.workloads) for turn in planned))

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def __call__(self, turn: Turn, workload: Workload | None, samples: list[Sample]) -> None:
        self.progress.update(self.task, description=f"{turn.system.name} ({turn.repetition})")
        if workload:
            self.progress.advance(self.task)
            said = "  ".join(f"{sample.metric} {number(sample.value)} {sample.unit}" for sample in samples)
            self.progress.console.print(
                f"  {turn.repetition}  {turn.system.name:<20}{workload:<46}{said}", soft_wrap=True
            )


def print_figures(figures: Sequence[Figure]) -> None:
    """Print all figures, by workload."""
    for workload in Workload:
        lines = [figure for figure in figures if figure.workload == workload]
        if not lines:
            continue
        say(f"\n{workload}", "bold")
        table = Table(box=None)
        for name in ("system", "metric"):
            table.add_column(name, style="cyan", no_wrap=True)
        for name in ("median", "least", "greatest"):
            table.add_column(name, justify="right")
        table.add_column("unit")
        table.add_column("n", justify="right")
        for line in lines:
            spread = [number(value) for value in (line.median, line.min, line.max)]
            table.add_row(line.system, line.metric, *spread, line.unit, str(line.n))
        console.print(table)


def print_ratios(figures: Sequence[Figure]) -> None:
    """Print the ratios, and which targets are met."""
    found = ratios(figures)
    if found:
        say("\nTaxiway, times better (below 1: worse)", "bold")
    for ratio in found:
        say(f"  {ratio.value:>6.2f}  than {ratio.against}: {ratio.workload}, {ratio.metric}")
    say("\nTargets", "bold")
    for target in TARGETS:
        measured, met = target.measured(figures), target.met(figures)
        if measured is not None:
            word = "met" if met else "NOT MET"
            say(
                f"  {word:<8} {target.workload}, {target.metric} {target.text()}: {number(measured)}",
                "" if met else "red",
            )


def number(value: float) -> str:
    """Format a number with at most four significant digits."""
    shown = rounded(value)
    return f"{shown:.0f}" if shown >= 1000 or shown == int(shown) else f"{shown:g}"
