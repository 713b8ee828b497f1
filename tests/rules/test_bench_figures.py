"""Samples, quantiles and ratios: the benchmark reports what was measured."""

from __future__ import annotations

import pytest

from ops.bench.figures import Figure, Sample, Samples, from_json, quantile, to_json
from ops.bench.ratios import Against, ratios, times_better
from ops.bench.report import number
from ops.bench.systems.utilization import Stretch, share_at_work
from ops.bench.targets import Target
from ops.bench.workloads import MILLISECONDS, P50, PER_SECOND, SECONDS, THROUGHPUT, TIME, Workload


def figure(
    system: str, median: float, *, unit: str = PER_SECOND, metric: str = THROUGHPUT, greatest: float = 0
) -> Figure:
    return Figure(system, Workload.ONE_STEP, metric, median, median, greatest or median, unit, 3)


def test_a_figure_is_the_median_the_least_and_the_greatest_of_its_own_samples_only():
    samples = Samples()
    for value in (30.0, 10.0, 20.0):
        samples.add("taxiway", Sample(Workload.STEP, P50, MILLISECONDS, value))
    samples.add("dbos", Sample(Workload.STEP, P50, MILLISECONDS, 99.0))
    assert samples.figures() == [
        Figure("taxiway", Workload.STEP, P50, 20.0, 10.0, 30.0, MILLISECONDS, 3),
        Figure("dbos", Workload.STEP, P50, 99.0, 99.0, 99.0, MILLISECONDS, 1),
    ]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_the_least_value_that_the_share_does_not_exceed(share: float, value: int):
    assert quantile(list(range(100, 0, -1)), share) == value


def test_the_p99_of_few_values_is_the_worst_of_them():
    assert quantile([1.0, 5.0, 2.0], 0.99) == 5.0


def test_figures_survive_their_file():
    figures = [figure("taxiway", 1234.0), figure("celery", 0.5, unit=MILLISECONDS)]
    assert from_json(to_json(figures)) == figures


def test_figures_keep_four_digits_that_matter():
    samples = Samples()
    samples.add("taxiway", Sample(Workload.STEP, P50, MILLISECONDS, 1.23456789))
    assert samples.figures()[0].median == 1.235


@pytest.mark.parametrize(("value", "shown"), [(1234.5, "1234"), (12.0, "12"), (12.345, "12.35"), (0.05187, "0.05187")])
def test_numbers_are_shown_without_noise(value: float, shown: str):
    assert number(value) == shown


def test_more_runs_per_second_are_better():
    assert times_better([figure("taxiway", 400), figure("dbos", 100)], Workload.ONE_STEP, THROUGHPUT, Against.DBOS) == 4


def test_fewer_milliseconds_are_better():
    both = [figure(name, value, unit=MILLISECONDS, metric=P50) for name, value in (("taxiway", 2), ("dbos", 8))]
    assert times_better(both, Workload.ONE_STEP, P50, Against.DBOS) == 4


@pytest.mark.parametrize("unit", [PER_SECOND, MILLISECONDS])
def test_of_two_ways_to_use_a_peer_the_better_one_counts(unit: str):
    ways = {PER_SECOND: (100, 200, 2.0), MILLISECONDS: (200, 100, 0.25)}
    worse, better, expected = ways[unit]
    figures = [figure("taxiway", 400, unit=unit), figure("dbos", worse, unit=unit)]
    figures.append(figure("dbos without queue", better, unit=unit))
    assert times_better(figures, Workload.ONE_STEP, THROUGHPUT, Against.DBOS) == expected


def test_there_is_no_ratio_without_both_sides():
    assert times_better([figure("taxiway", 1)], Workload.ONE_STEP, THROUGHPUT, Against.CELERY) is None
    assert ratios([figure("dbos", 1), figure("celery", 1)]) == []


def test_a_time_to_recover_is_judged_by_its_worst():
    target = Target(Workload.ONE_STEP, TIME, at_most=4, unit=SECONDS)
    assert target.met([figure("taxiway", 2, unit=SECONDS, metric=TIME, greatest=4)]) is True
    assert target.met([figure("taxiway", 2, unit=SECONDS, metric=TIME, greatest=4.1)]) is False


def test_a_target_against_a_peer_is_judged_by_the_ratio():
    target = Target(Workload.ONE_STEP, THROUGHPUT, times=2, against=Against.DBOS)
    assert target.met([figure("taxiway", 200), figure("dbos", 100)]) is True
    assert target.met([figure("taxiway", 199), figure("dbos", 100)]) is False


def test_a_target_of_its_own_unit_may_be_a_least():
    target = Target(Workload.ONE_STEP, THROUGHPUT, at_least=2000, unit=PER_SECOND)
    assert target.text() == "≥ 2000 runs/s"
    assert target.met([figure("taxiway", 2000)]) is True
    assert target.met([figure("taxiway", 1999)]) is False


@pytest.mark.parametrize(("unit", "just", "too_bad"), [(PER_SECOND, 80, 76), (MILLISECONDS, 130, 131)])
def test_a_target_beside_another_workload_is_judged_by_how_much_worse_it_is(unit: str, just: float, too_bad: float):
    target = Target(Workload.ENQUEUE, THROUGHPUT, times=1.3, worse_than=Workload.ONE_STEP)
    other = figure("taxiway", 100, unit=unit)
    for median, met in ((just, True), (too_bad, False)):
        this = Figure("taxiway", Workload.ENQUEUE, THROUGHPUT, median, median, median, unit, 3)
        assert target.met([other, this]) is met
        assert target.met([this]) is None
    assert target.text() == f"≤ 1.3 times worse than “{Workload.ONE_STEP}”"


def test_slots_are_at_work_between_the_first_and_the_last_start_only():
    assert share_at_work([Stretch(0, 1), Stretch(1, 2), Stretch(2, 9)], slots=1) == 1
    assert share_at_work([Stretch(0, 1), Stretch(0, 2), Stretch(1.5, 2), Stretch(2, 3)], slots=2) == pytest.approx(
        3.5 / 4
    )


def test_a_target_that_was_not_measured_is_neither_met_nor_missed():
    assert Target(Workload.ONE_STEP, P50, at_most=1).met([figure("taxiway", 1)]) is None
