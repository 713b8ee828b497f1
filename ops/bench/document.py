"""Writes `docs/benchmarks.md` from `docs/benchmarks.json`, so that every number in the text is a measured one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ops.bench import prose
from ops.bench.figures import Figure
from ops.bench.machine import Machine
from ops.bench.ratios import Against, ratios, times_better
from ops.bench.report import number
from ops.bench.targets import TARGETS
from ops.bench.workloads import Workload

NAMES = {
    "taxiway": "Taxiway",
    "dbos": "DBOS, queue",
    "dbos without queue": "DBOS, called directly",
    "celery": "bare Celery",
}
MET = {True: "yes", False: "**no**", None: ""}
DATA, TEXT = "benchmarks.json", "benchmarks.md"


def write_documents(folder: Path, machine: Machine, figures: Sequence[Figure]) -> list[str]:
    """Write the measured data and the text made from it; return their names."""
    (folder / DATA).write_text(to_json(machine, figures))
    (folder / TEXT).write_text(from_data(folder))
    return [f"{folder.name}/{name}" for name in (DATA, TEXT)]


def to_json(machine: Machine, figures: Sequence[Figure]) -> str:
    """Return the data of the text."""
    lines = ",\n".join(f"    {json.dumps(asdict(figure), ensure_ascii=False)}" for figure in figures)
    about = json.dumps(asdict(machine), ensure_ascii=False, indent=4).replace("\n}", "\n  }")
    return f'{{\n  "machine": {about},\n  "figures": [\n{lines}\n  ]\n}}\n'


def from_data(folder: Path) -> str:
    """Return the text for the data in `folder`."""
    data = json.loads((folder / DATA).read_text())
    return text(Machine(**data["machine"]), [Figure(**line) for line in data["figures"]])


def text(machine: Machine, figures: Sequence[Figure]) -> str:
    """Return the document."""
    parts = [
        prose.HEAD,
        prose.environment(machine),
        "## Figures\n",
        _table(("what", "system", "metric", "median", "minimum … maximum", "n"), _figure_rows(figures)),
        "## Taxiway, times better\n",
        prose.RATIOS,
        _table(("what", "metric", "than DBOS", "than bare Celery"), _ratio_rows(figures)),
        "## Targets\n",
        _table(("what", "metric", "target", "measured", "met"), _target_rows(figures)),
        prose.METHOD,
        prose.CAVEATS,
    ]
    return "\n".join(parts)


def _figure_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    order = {str(workload): place for place, workload in enumerate(Workload)}
    rows: list[tuple[str, ...]] = []
    last = ""
    for figure in sorted(figures, key=lambda figure: order[figure.workload]):
        spread = f"{number(figure.min)} … {number(figure.max)}"
        median = f"**{number(figure.median)}** {figure.unit}"
        what = "" if figure.workload == last else _code(figure.workload)
        rows.append((what, NAMES[figure.system], figure.metric, median, spread, str(figure.n)))
        last = figure.workload
    return rows


def _ratio_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for workload, metric in dict.fromkeys((ratio.workload, ratio.metric) for ratio in ratios(figures)):
        values = (times_better(figures, workload, metric, against) for against in Against)
        rows.append((_code(workload), metric, *("" if value is None else f"{value:.2f}" for value in values)))
    return rows


def _target_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for target in TARGETS:
        measured, met = target.measured(figures), target.met(figures)
        said = "not measured" if measured is None else number(measured)
        rows.append((_code(target.workload), target.metric, target.text(), said, MET[met]))
    return rows


def _code(workload: str) -> str:
    return workload.replace("while True: pass", "`while True: pass`").replace("kill -9", "`kill -9`")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
