"""Hosts, workers and schedulers are killed, drained and frozen; their runs continue from their last step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.ids import liveness_key
from tests.conftest import Servers
from tests.postgres.proxied import proxy_to, through
from tests.processes.fleet import Fleet, Process, fleet_of, pid_is_gone

AGENTS = """
    @agent
    def count(run: Run, steps: int = 3, nap: float = 0.0, die_in: int = -1, times: int = 99):
        "Each step says outside that it runs, and where; step number `die_in` kills its host so many times."
        for n in range(steps):
            def counted(n=n):
                effect(f"{run.id} {n} {os.getpid()}")
                if not (Path(__file__).parent / f"free-{run.id}").exists():
                    time.sleep(nap)
                if n == die_in and len(effects(f"{run.id} {n} ")) <= times:
                    os.kill(os.getpid(), 9)
                return n
            run.using(name=f"step {n}").step(counted)
        return "counted"

    @agent
    def hold(run: Run):
        def holding():
            effect(f"{run.id} hold {os.getpid()}")
            while not (Path(__file__).parent / f"free-{run.id}").exists():
                time.sleep(0.01)
            return "held"
        run.using(name="before").step(int, 1)
        value = run.step(holding)
        run.using(name="after").step(int, 1)
        return value

    @agent
    def once(run: Run):
        def sending():
            effect(f"{run.id} sent")
            os.kill(os.getpid(), 9)
        return run.using(once=True).step(sending)

    def effects(word):
        return [line for line in LOG.read_text().splitlines() if line.startswith(word)] if LOG.exists() else []
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("deaths")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        yield fleet


@pytest.fixture(scope="module")
def first(fleet: Fleet) -> Process:
    return fleet.worker("first", slots=2)


def _free(fleet: Fleet, run: UUID) -> None:
    (fleet.folder / f"free-{run}").touch()


def _ran(fleet: Fleet, run: UUID, step: int) -> int:
    return len(fleet.effects(f"{run} {step} "))


def _gapless(fleet: Fleet, run: UUID) -> bool:
    return [event["seq"] for event in fleet.events(run)] == list(range(1, fleet.run(run)["seq"] + 1))


def _leased_by(fleet: Fleet, run: UUID) -> Any:
    return fleet.one("SELECT name FROM worker JOIN run ON lease_worker = worker.id WHERE run.id = %s", run)["name"]


def test_a_step_whose_host_is_killed_runs_again_at_once_and_what_was_recorded_does_not(
    fleet: Fleet, first: Process
) -> None:
    run = fleet.enqueue("hold")
    fleet.in_step(run, "holding")
    [line] = fleet.effects(f"{run} hold")
    began = time.monotonic()
    os.kill(int(line.split()[2]), signal.SIGKILL)

    fleet.until(lambda: len(fleet.effects(f"{run} hold")) == 2, "the step runs again", 5)
    assert time.monotonic() - began < 5
    _free(fleet, run)
    assert fleet.result(run) == "held"
    row = fleet.run(run)
    assert (row["crashes"], row["losses"], row["activations"], row["epoch"], row["step_count"]) == (1, 0, 2, 3, 3)
    assert fleet.verbs(run) == ["enqueue", "start", "recover", "continue", "succeed"]
    assert _gapless(fleet, run)


def test_a_run_whose_host_dies_twice_goes_on_and_at_the_third_death_fails_naming_the_step(
    fleet: Fleet, first: Process
) -> None:
    twice = fleet.enqueue("count", die_in=1, times=2)
    thrice = fleet.enqueue("count", die_in=1)

    assert fleet.result(twice) == "counted"
    assert [_ran(fleet, twice, step) for step in range(3)] == [1, 3, 1]
    row = fleet.ends(thrice)
    assert (row["status"], row["reason"], row["crashes"]) == ("FAILED", "crashed", 3)
    assert (row["error"]["code"], row["error"]["step"].partition("#")[0]) == ("crashed", "step 1")
    assert "SIGKILL" in row["error"]["message"]
    assert [_ran(fleet, thrice, step) for step in range(3)] == [1, 3, 0]
    [end] = fleet.events(thrice, "end")
    assert end["data"]["stepInFlight"].startswith("step 1")


def test_a_step_that_may_happen_only_once_is_not_repeated_after_a_crash(fleet: Fleet, first: Process) -> None:
    run = fleet.enqueue("once")
    row = fleet.ends(run)
    assert (row["status"], row["error"]["code"]) == ("FAILED", "once_unknown")
    assert len(fleet.effects(f"{run} sent")) == 1


def test_a_worker_that_is_killed_loses_its_runs_to_another(fleet: Fleet, first: Process) -> None:
    fleet.may_judge()
    runs = [fleet.enqueue("hold") for _ in range(2)]
    for run in runs:
        fleet.in_step(run, "holding")
    second = fleet.worker("second", slots=2)
    hosts = [host.pid for host in first.hosts()]
    lost = fleet.worker_row("first")["id"]
    first.kill()
    began = time.monotonic()

    for run in runs:
        fleet.until(lambda run=run: len(fleet.effects(f"{run} hold")) == 2, f"{run} runs elsewhere", 8)
    assert time.monotonic() - began < 8
    assert all(_leased_by(fleet, run) == "second" for run in runs)
    fleet.until(lambda: all(map(pid_is_gone, hosts)), "no host outlives its worker", 5)
    for run in runs:
        _free(fleet, run)
        assert fleet.result(run) == "held"
        row = fleet.run(run)
        assert (row["losses"], row["crashes"], row["activations"]) == (1, 0, 2)
        assert fleet.verbs(run) == ["enqueue", "start", "recover", "continue", "succeed"]
    assert fleet.one("SELECT dead_at FROM worker WHERE id = %s", lost)["dead_at"]
    second.terminate()
    assert second.exit_code() == 0


def test_a_drained_worker_hands_its_runs_on_from_their_last_step_and_ends_well(fleet: Fleet) -> None:
    third = fleet.worker("third", slots=2)
    run, held = fleet.enqueue("count", steps=150, nap=0.1), fleet.enqueue("hold")
    fleet.in_step(held, "holding")
    fleet.until(lambda: _ran(fleet, run, 5), "some steps are done")
    fourth = fleet.worker("fourth", slots=2)
    third.terminate()

    assert third.exit_code() == 0
    fleet.until(lambda: len(fleet.effects(f"{held} hold")) == 2, "the stuck step runs elsewhere")
    _free(fleet, held)
    _free(fleet, run)
    assert (fleet.result(run), fleet.result(held)) == ("counted", "held")
    for left in (run, held):
        row = fleet.run(left)
        assert (row["crashes"], row["losses"], row["activations"]) == (0, 0, 2)
        assert fleet.verbs(left) == ["enqueue", "start", "hand_back", "continue", "succeed"]
        [back] = [event for event in fleet.events(left) if event["verb"] == "hand_back"]
        assert back["reason"] == "drained"
    assert [_ran(fleet, run, step) for step in range(150)] == [1] * 150  # it was released at the edge of a step
    assert fleet.worker_row("third")["dead_at"]
    assert "Traceback" not in third.said()
    assert fourth.popen.poll() is None


def test_a_worker_that_was_frozen_for_longer_than_its_lease_writes_nothing_and_comes_back_as_another(
    fleet: Fleet,
) -> None:
    [fourth] = [process for process in fleet.processes if process.name == "fourth"]
    run = fleet.enqueue("hold")
    fleet.in_step(run, "holding")
    old = fleet.worker_row("fourth")["id"]
    fifth = fleet.worker("fifth", slots=2)
    fourth.popen.send_signal(signal.SIGSTOP)
    fleet.until(lambda: len(fleet.effects(f"{run} hold")) == 2, "it runs elsewhere", 15)
    assert _leased_by(fleet, run) == "fifth"
    fourth.popen.send_signal(signal.SIGCONT)

    fleet.until(
        lambda: (row := fleet.worker_row("fourth"))["id"] != old and row["consuming_at"], "it comes back as another"
    )
    _free(fleet, run)
    assert fleet.result(run) == "held"
    assert fleet.verbs(run) == ["enqueue", "start", "recover", "continue", "succeed"]
    assert fleet.one("SELECT dead_at FROM worker WHERE id = %s", old)["dead_at"]
    assert fifth.popen.poll() is None
    locks = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = %s"
    assert fleet.one(locks, liveness_key(fleet.worker_row("fourth")["id"]))["n"] == 1


def test_a_worker_that_is_cut_off_kills_its_hosts_before_its_lease_ends(fleet: Fleet) -> None:
    for process in fleet.processes:
        if process.name in ("fourth", "fifth"):
            process.terminate()
            assert process.exit_code() == 0
    with proxy_to(fleet.database_url) as proxy:
        cut_off = fleet.worker("cut-off", TAXIWAY_DATABASE_URL=through(proxy, fleet.database_url))
        run = fleet.enqueue("hold")
        fleet.in_step(run, "holding")
        [line] = fleet.effects(f"{run} hold")
        old = fleet.worker_row("cut-off")["id"]
        fleet.worker("sixth")
        began = time.monotonic()
        proxy.frozen = True

        fleet.until(lambda: pid_is_gone(int(line.split()[2])), "its host is gone", 6)
        assert time.monotonic() - began < 3 + 1
        fleet.until(lambda: len(fleet.effects(f"{run} hold")) == 2, "it runs elsewhere", 15)
        proxy.frozen = False
        proxy.cut()  # frames sent since then are lost, as are these connections
        fleet.until(
            lambda: (row := fleet.worker_row("cut-off"))["id"] != old and row["consuming_at"],
            "it comes back as another",
        )
        _free(fleet, run)
        assert fleet.result(run) == "held"
        assert fleet.verbs(run) == ["enqueue", "start", "recover", "continue", "succeed"]
        assert "lease.in_doubt" in cut_off.said()
        assert "Traceback" not in cut_off.said()
        cut_off.kill()


def test_a_scheduler_that_is_killed_or_frozen_is_followed_by_a_standby(fleet: Fleet) -> None:
    [leader] = [process for process in fleet.processes if process.name == "scheduler"]
    standby = fleet.scheduler("standby")
    leader.popen.send_signal(signal.SIGSTOP)
    run = fleet.enqueue("count")
    assert fleet.result(run, 10) == "counted"
    assert "scheduler.leads" in standby.said()
    leader.popen.send_signal(signal.SIGCONT)  # its further work uses a session that is gone
    fleet.until(lambda: "scheduler.database_away" in leader.said(), "the old leader knows")

    standby.kill()
    assert fleet.result(fleet.enqueue("count"), 10) == "counted"
    leader.terminate()
    assert leader.exit_code() == 0
    assert "Traceback" not in leader.said()
    assert fleet.one(
        "SELECT max(activations) AS n FROM run WHERE agent = 'count' AND crashes = 0 AND id = %s", run
    ) == {"n": 1}
