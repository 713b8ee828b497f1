"""The published text is generated from the measured data only."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.bench.document import DATA, TEXT, from_data, text, write_documents
from ops.bench.figures import Figure
from ops.bench.machine import Machine
from ops.bench.workloads import P50, PER_SECOND, SECONDS, THROUGHPUT, TIME, Workload

DOCS = Path(__file__).resolve().parents[2] / "docs"
MACHINE = Machine(
    "2026-11-21", "Some Processor", 2, 24, "Linux x86_64", 0.1, 0.09, "3.11.7", "18.6", "9.1", "5.7", "3.4"
)
FIGURES = [
    Figure("taxiway", Workload.TEN_STEPS, THROUGHPUT, 161.7, 150.1, 170.2, PER_SECOND, 5),
    Figure("dbos", Workload.TEN_STEPS, THROUGHPUT, 38.5, 37.0, 39.9, PER_SECOND, 5),
    Figure("dbos without queue", Workload.TEN_STEPS, THROUGHPUT, 20.0, 19.0, 21.0, PER_SECOND, 5),
    Figure("taxiway", Workload.HOST_KILLED, TIME, 0.1, 0.1, 0.7, SECONDS, 9),
]


def lines_with(*words: str) -> list[str]:
    return [line for line in text(MACHINE, FIGURES).splitlines() if all(word in line for word in words)]


def test_every_figure_is_shown_with_its_spread_and_its_n():
    assert lines_with("Taxiway |", "**161.7** runs/s", "150.1 … 170.2", "| 5 |")
    assert lines_with("DBOS, called directly", "**20** runs/s")


def test_ratios_are_computed_from_the_figures_that_are_shown():
    assert lines_with("10-step runs", f"| {161.7 / 38.5:.2f} |")


def test_what_was_promised_stands_beside_what_was_measured():
    assert lines_with("10-step runs", "≥ 4 times DBOS", "| 4.2 | yes |")
    assert lines_with("host killed", "≤ 0.5 s", "| 0.7 | **no** |")
    assert lines_with("step, sequential", P50, "not measured")


def test_the_text_can_be_made_again_from_the_data_alone(tmp_path: Path):
    write_documents(tmp_path, MACHINE, FIGURES)
    assert (tmp_path / TEXT).read_text() == text(MACHINE, FIGURES) == from_data(tmp_path)


@pytest.mark.skipif(not (DOCS / DATA).exists(), reason="no figures have been published yet")
def test_the_published_text_is_the_one_that_belongs_to_the_published_data():
    assert (DOCS / TEXT).read_text() == from_data(DOCS)
