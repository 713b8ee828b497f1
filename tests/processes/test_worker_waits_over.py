"""The outcome of a wait may already exist: then the run continues in the same activation, and is not parked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    def gate(name):
        while not (Path(__file__).parent / name).exists():
            time.sleep(0.01)

    @agent
    def many(run: Run, count: int, halfway: bool = False):
        run.using(name="gate").step(gate, f"free-{run.id}")
        heard = [run.wait_for("word") for _ in range(count // 2)]
        if halfway:
            run.using(name="halfway").step(gate, f"half-{run.id}")
        return heard + [run.wait_for("word") for _ in range(count - count // 2)]

    @agent
    async def many_async(run: AsyncRun, count: int):
        await run.using(name="gate").step(gate, f"free-{run.id}")
        return [await run.wait_for("word") for _ in range(count)]

    @agent
    def several(run: Run):
        run.using(name="gate").step(gate, f"free-{run.id}")
        winner = run.first(run.signal("never"), run.signal("b"), run.timer(60))
        both = run.gather(run.signal("a"), run.timer(0), run.signal("a"))
        return [winner.index, winner.value, both]

    @agent
    def answer(run: Run, n: int):
        return n

    @agent
    def family(run: Run):
        children = run.map("answer", [{"n": n} for n in range(3)])
        run.using(name="gate").step(gate, f"free-{run.id}")
        return run.gather(*children)

    @agent
    def due(run: Run):
        timer, word = run.timer(0.3), run.signal("word")
        run.first(timer, word)
        run.using(name="gate").step(gate, f"free-{run.id}")
        run.gather(timer, word)
        return run.activation
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("over")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=2)
        yield fleet


def _free(fleet: Fleet, run: UUID, what: str = "free") -> None:
    (fleet.folder / f"{what}-{run}").touch()


def _never_parked(fleet: Fleet, run: UUID) -> None:
    assert fleet.verbs(run) == ["enqueue", "start", "succeed"], "no change of status, no event"
    assert fleet.run(run)["activations"] == 1


@pytest.mark.parametrize("agent", ["many", "many_async"])
def test_two_hundred_waits_with_two_hundred_signals_there_take_one_activation(fleet: Fleet, agent: str) -> None:
    run = fleet.enqueue(agent, count=200)
    fleet.in_step(run, "gate")
    for n in range(200):
        fleet.signal(run, "word", n)
    _free(fleet, run)
    assert fleet.result(run) == list(range(200))
    _never_parked(fleet, run)
    open_ = fleet.one("SELECT count(*) AS n FROM wait WHERE run_id = %s AND resolved_at IS NULL", run)
    kept = fleet.one("SELECT count(*) AS n FROM signal WHERE run_id = %s AND consumed_by IS NULL", run)
    assert (open_["n"], kept["n"]) == (0, 0)


def test_a_replay_behind_a_killed_host_gives_the_same_values_to_the_same_waits(fleet: Fleet) -> None:
    run = fleet.enqueue("many", count=20, halfway=True)
    fleet.in_step(run, "gate")
    for n in range(20):
        fleet.signal(run, "word", n)
    _free(fleet, run)
    fleet.in_step(run, "halfway")
    [worker] = [process for process in fleet.processes if process.name == "only"]
    for host in worker.hosts():
        host.kill()
    _free(fleet, run, "half")
    assert fleet.result(run) == list(range(20))
    row = fleet.run(run)
    assert (row["activations"], row["crashes"]) == (2, 1)
    assert "pause_by_agent" not in fleet.verbs(run)


def test_several_waits_are_over_at_once_as_far_as_what_ends_them_is_there(fleet: Fleet) -> None:
    run = fleet.enqueue("several")
    fleet.in_step(run, "gate")
    for name, payload in (("a", 1), ("b", 2), ("a", 3)):
        fleet.signal(run, name, payload)
    _free(fleet, run)
    assert fleet.result(run) == [1, 2, [1, None, 3]]
    _never_parked(fleet, run)


def test_children_that_have_ended_already_park_nobody(fleet: Fleet) -> None:
    run = fleet.enqueue("family")
    fleet.in_step(run, "gate")
    query = "SELECT count(*) AS n FROM signal WHERE run_id = %s"
    fleet.until(lambda: fleet.one(query, run)["n"] == 3, "the children tell of their ends")
    _free(fleet, run)
    assert fleet.result(run) == [0, 1, 2]
    _never_parked(fleet, run)


def test_a_timer_that_came_due_while_the_run_executed_parks_nobody(fleet: Fleet) -> None:
    run = fleet.enqueue("due")
    fleet.status(run, "PAUSED")
    fleet.signal(run, "word", "now")
    fleet.in_step(run, "gate")
    past = "SELECT count(*) AS n FROM wait WHERE run_id = %s AND kind = 'timer' AND due_at <= now()"
    fleet.until(lambda: fleet.one(past, run)["n"] == 1, "the timer is due")
    _free(fleet, run)
    assert fleet.result(run) == 2
