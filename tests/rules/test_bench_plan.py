"""The order of turns, and the choices of the command line."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ops.bench.__main__ import arguments, planned
from ops.bench.figures import Sample
from ops.bench.plan import LONG, SHORT, Plan
from ops.bench.rounds import measure, turns
from ops.bench.servers import BenchServers
from ops.bench.systems.promotion import Promoting, backlog, few
from ops.bench.systems.search import Searching
from ops.bench.systems.taxiway import Taxiway
from ops.bench.workloads import MILLISECONDS, P50, PROMOTIONS, Workload


class Pretended:
    """A system that measures nothing and records its calls."""

    def __init__(self, name: str, *workloads: Workload, broken: bool = False) -> None:
        self.name, self.workloads, self.broken = name, frozenset(workloads), broken
        self.asked: list[str] = []

    def up(self, servers: BenchServers) -> None:
        self.asked.append("up")

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        self.asked.append(workload.key)
        if self.broken:
            raise RuntimeError("broken")
        yield Sample(workload, P50, MILLISECONDS, len(self.asked))

    def down(self) -> None:
        self.asked.append("down")


def order(plan: Plan) -> list[tuple[int, str]]:
    systems = [Pretended("a", Workload.STEP), Pretended("b", Workload.STEP), Pretended("c", Workload.WORKER_KILLED)]
    return [(turn.repetition, turn.system.name) for turn in turns(systems, plan)]


def test_repetitions_are_interleaved_and_systems_that_take_no_part_have_no_turn():
    assert order(SHORT) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_tables_are_filled_in_the_first_repetitions_only():
    system = Pretended("a", Workload.STEP, Workload.PROMOTION_HUGE)
    crowded = [Workload.PROMOTION_HUGE in turn.workloads for turn in turns([system], LONG)]
    assert crowded == [True] * LONG.crowded_repetitions + [False] * (LONG.repetitions - LONG.crowded_repetitions)


@pytest.mark.parametrize("plan", [LONG, SHORT])
def test_every_backlog_lasts_for_all_that_is_promoted_and_only_the_small_one_is_topped_up(plan: Plan):
    for workload in set(PROMOTIONS) & set(plan.workloads):
        filled = backlog(workload, plan)
        waiting = filled.ready.runs + (filled.held.runs if filled.held else 0)
        if workload is Workload.PROMOTION:
            assert waiting == plan.small == plan.portion
        else:
            assert filled.ready.runs >= few(plan)
            assert waiting >= min(plan.large, plan.huge)


def test_each_workload_is_measured_by_one_kind_of_taxiway_and_by_one_only():
    kinds = (Taxiway.workloads, Promoting.workloads, Searching.workloads)
    assert sum(map(len, kinds)) == len(set().union(*kinds))
    assert set().union(*kinds) == set(Workload)


def test_a_system_is_up_during_its_turn_only():
    system = Pretended("a", Workload.STEP, Workload.START)
    samples = measure(turns([system], SHORT), None, SHORT, lambda *_: None)
    assert system.asked == ["up", "step", "start", "down"] * SHORT.repetitions
    assert [figure.n for figure in samples.figures()] == [SHORT.repetitions] * 2


def test_a_system_goes_down_when_measuring_fails():
    system = Pretended("a", Workload.STEP, broken=True)
    with pytest.raises(RuntimeError, match="broken"):
        measure(turns([system], SHORT), None, SHORT, lambda *_: None)
    assert system.asked == ["up", "step", "down"]


def test_the_long_form_measures_everything():
    assert planned(arguments([])) == LONG
    assert set(LONG.workloads) == set(Workload)


def test_a_workload_asked_for_by_name_is_measured_in_the_short_form_too():
    plan = planned(arguments(["--short", "--only", "worker-killed"]))
    assert plan.workloads == (Workload.WORKER_KILLED,)
    assert plan.worker_kills == 1


def test_enqueueing_is_measured_last_because_it_stops_the_workers():
    assert planned(arguments(["--only", "enqueue", "--only", "step"])).workloads == (Workload.STEP, Workload.ENQUEUE)
    assert LONG.workloads[-2:] == (Workload.ENQUEUE, Workload.ENQUEUE_BACKLOG)
    assert SHORT.workloads[-2:] == (Workload.ENQUEUE, Workload.ENQUEUE_BACKLOG)


@pytest.mark.parametrize("words", [["--short", "--write-docs"], ["--only", "step", "--write-docs"], ["--only", "all"]])
def test_what_cannot_be_published_or_measured_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        arguments(words)
    assert "error:" in capsys.readouterr().err
