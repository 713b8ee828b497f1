"""One kind of trouble at a time, as severe as operations will ever see: nothing is lost, nothing is done twice."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.chaos.proxy import Mode
from ops.child import Child
from tests.system.drill import Drill, size, wait

FROZEN_SECONDS = 5.0
WORK_OF_A_BLOW = 400
"""Runs that wait or execute before each blow: 15 s of work for the slots."""
EXIT_MARGIN = 5.0
MIXED, MORTAL = "mixed", "mortal"
ONE_AGENT = """
from taxiway import Run, agent


def double(n: int) -> int:
    return 2 * n


@agent
def {name}(run: Run, n: int) -> int:
    return run.step(double, n)
"""


@pytest.fixture(scope="module")
def drill(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Return the system; the use of `stack` keeps other whole systems from running concurrently."""
    drill = Drill(tmp_path_factory.mktemp("drills") / "run")
    yield drill
    drill.close()


# ------------------------------------------------------------------------------------------------------------ schedulers
def _leader(drill: Drill) -> Child:
    """Wait for a leader with a standby beside it."""
    drill.until(lambda: drill.cluster.leader() and len(drill.cluster.running("scheduler")) == 2, "a leader and another")
    name = drill.cluster.leader()
    assert name is not None
    return drill.cluster.child(name)


def _replace(drill: Drill, leader: Child) -> None:
    """Kill the leader, wait until the standby leads, then start the killed scheduler as the new standby.

    In this order: a scheduler starts so fast that it would take the lead before the standby asks for it again.
    """
    log = drill.stack.logs / f"{leader.name}.log"
    drill.kill(leader)
    said = len(log.read_text())
    drill.until(lambda: drill.cluster.leader() not in (None, leader.name), "the standby leads", 10)
    drill.cluster.fleet.start_scheduler(int(leader.name.partition("-")[2]))
    drill.until(lambda: "scheduler.started" in log.read_text()[said:], "the new one stands by", 20)


@pytest.mark.timeout(300)
def test_leaders_that_die_or_freeze_leave_no_gap_and_nothing_is_run_twice(drill: Drill) -> None:
    runs: list[str] = []
    blows = ["kill"] * size(20, 4) + ["freeze"] * size(5, 1)
    random.shuffle(blows)
    for blow in blows:
        if (short := WORK_OF_A_BLOW - len(drill.going(runs))) > 0:
            runs += drill.sequences(short, steps=1, millis=300)
        leader = _leader(drill)
        wait(random.uniform(0.1, 1.0))
        if blow == "kill":
            _replace(drill, leader)
        else:
            os.kill(leader.pid, signal.SIGSTOP)
            wait(FROZEN_SECONDS)
            os.kill(leader.pid, signal.SIGCONT)
        assert drill.going(runs), "there was work left"

    drill.all_succeed(runs, 180)
    assert set(drill.begun(runs).values()) == {1}
    assert drill.row("SELECT max(activations) AS n FROM run WHERE id = ANY(%s::uuid[])", runs)["n"] == 1
    promoted = drill.promotions(runs)
    gaps = sorted(after - before for before, after in itertools.pairwise(promoted))
    drill.report("leaders", runs=len(runs), blows=len(blows), longest_gap_s=gaps[-1])
    assert len(promoted) == len(runs)
    assert gaps[-1] <= 4.0


# -------------------------------------------------------------------------------------------------------------- servers
@pytest.mark.timeout(300)
def test_a_broker_that_swallows_everything_delays_what_waits_and_nothing_else(drill: Drill) -> None:
    hold = size(60, 9)
    going = drill.sequences(2, steps=2 * hold + 6, millis=500)
    drill.until(lambda: len(drill.rows("SELECT FROM run WHERE step_in_flight IS NOT NULL")) == 2, "both execute")
    before = drill.pids()
    drill.cluster.links.switch_broker(drill.cluster.links.names(), Mode.HOLE)
    accepted = []
    recorded = [drill.row("SELECT sum(step_count)::int AS n FROM run WHERE id = ANY(%s::uuid[])", going)["n"]]
    for _ in range(hold // 3):
        began = time.monotonic()
        accepted += drill.sequences(1, steps=1, millis=10)
        assert time.monotonic() - began < 2, "a 201 does not wait for the broker"
        wait(3.0)
        recorded.append(drill.row("SELECT sum(step_count)::int AS n FROM run WHERE id = ANY(%s::uuid[])", going)["n"])
    assert all(later > earlier for earlier, later in itertools.pairwise(recorded)), "checkpoints go on"
    drill.cluster.links.switch_broker(drill.cluster.links.names(), Mode.PASS)
    healed = time.monotonic()

    drill.until(
        lambda: len(drill.going(accepted)) < len(accepted), "promotion resumes", 40, lambda: drill.going(accepted)
    )
    drill.report("broker hole", held_s=hold, resumed_after_s=round(time.monotonic() - healed, 2))
    drill.all_succeed(accepted, 60)
    drill.all_succeed(going, 2 * hold + 60)
    assert set(drill.begun([*going, *accepted]).values()) == {1}
    assert drill.pids() == before, "nothing was restarted"


@pytest.mark.timeout(300)
def test_a_database_that_is_restarted_again_and_again_loses_and_counts_nothing(drill: Drill) -> None:
    runs = drill.sequences(size(120, 50), steps=6, millis=300)
    before = drill.pids()
    server = drill.stack.servers.postgres
    assert server is not None
    for _ in range(size(5, 2)):
        drill.until(lambda: drill.rows("SELECT FROM run WHERE step_in_flight IS NOT NULL"), "runs execute", 40)
        wait(random.uniform(0.5, 1.5))
        assert server.child is not None
        server.child.send(signal.SIGINT)
        assert server.child.wait(20)
        server.start(60)

    drill.all_succeed(runs, 120)
    drill.report("database restarts", runs=len(runs), restarts=size(5, 2), counted=drill.counted(runs))
    assert drill.counted(runs) == (0, 0)
    assert drill.repeated(runs) == {}
    assert drill.pids() == before, "nothing was restarted"


# -------------------------------------------------------------------------------------------------------------- workers
@pytest.mark.timeout(200)
def test_a_worker_that_is_told_to_end_hands_its_long_runs_on_from_their_last_step(drill: Drill) -> None:
    runs = drill.sequences(8, steps=40, millis=300)
    drill.until(lambda: len(drill.leased_to("worker-1")) == 4, "four runs execute there")
    leaving, mine = drill.cluster.child("worker-1"), drill.leased_to("worker-1")
    wait(1.5)
    began = time.monotonic()
    drill.cluster.take("worker-1")
    leaving.send(signal.SIGTERM)
    assert leaving.wait(drill.cluster.size.drain + EXIT_MARGIN)
    drill.report("sigterm", exit_after_s=round(time.monotonic() - began, 2))
    assert leaving.exit_code == 0

    handed = drill.rows("SELECT reason FROM event WHERE verb = 'hand_back' AND run_id = ANY(%s::uuid[])", mine)
    assert [one["reason"] for one in handed] == ["drained"] * 4
    _start_again(drill, "worker-1")
    drill.all_succeed(runs, 60)
    assert drill.counted(runs) == (0, 0)
    assert set(drill.begun(runs).values()) == {1}, "each was let go at the edge of a step"


def _start_again(drill: Drill, name: str) -> None:
    drill.cluster.start_again(name, 0)
    drill.cluster.tend()
    drill.stack.wait_for_slots(8)


@pytest.mark.timeout(200)
def test_a_rolling_restart_of_all_workers_under_load_loses_and_repeats_nothing(drill: Drill) -> None:
    stop, runs = threading.Event(), []

    def enqueue() -> None:
        while not stop.wait(0.5):
            runs.extend(drill.sequences(3, steps=2, millis=250))

    load = threading.Thread(target=enqueue)
    load.start()
    try:
        for name in ("worker-1", "worker-2"):
            drill.until(lambda name=name: drill.leased_to(name), f"{name} is busy")
            drill.cluster.take(name)
            drill.cluster.child(name).send(signal.SIGTERM)
            assert drill.cluster.child(name).wait(drill.cluster.size.drain + EXIT_MARGIN)
            assert drill.cluster.child(name).exit_code == 0
            _start_again(drill, name)
        drill.until(lambda: len(runs) > 20, "runs were accepted before, between and after both restarts")
    finally:
        stop.set()
        load.join()

    drill.all_succeed(runs, 60)
    assert drill.counted(runs) == (0, 0)
    assert set(drill.begun(runs).values()) == {1}


@pytest.mark.timeout(200)
def test_workers_with_different_agents_share_a_queue(drill: Drill, tmp_path: Path) -> None:
    for number, name in ((11, "left"), (12, "right")):
        file = tmp_path / f"{name}.py"
        file.write_text(ONE_AGENT.format(name=name))
        drill.cluster.fleet.start_worker(number, queue=MIXED, env={"TAXIWAY_AGENTS": str(file)})
        drill.cluster.started[f"worker-{number}"] = time.monotonic()
    served = "SELECT FROM worker WHERE queue = %s AND dead_at IS NULL AND agents <> '{}' AND consuming_at IS NOT NULL"
    drill.until(lambda: len(drill.rows(served, MIXED)) == 2, "both take tickets")
    asked = [{"agent": random.choice(["left", "right"]), "input": {"n": n}, "queue": MIXED} for n in range(200)]
    answer = drill.http.post("/v1/runs/batch", json={"runs": asked})
    assert answer.status_code == 201, answer.text
    runs = [run["runId"] for run in answer.json()["runs"]]

    drill.all_succeed(runs, 60)
    assert drill.counted(runs) == (0, 0)
    _end(drill, "worker-11", "worker-12")


def _end(drill: Drill, *names: str) -> None:
    for name in names:
        drill.cluster.take(name)
        drill.cluster.child(name).send(signal.SIGTERM)
    for name in names:
        assert drill.cluster.child(name).wait(drill.cluster.size.drain + EXIT_MARGIN)


@pytest.mark.timeout(300)
def test_a_worker_that_dies_with_all_its_slots_busy_again_and_again_costs_no_run_its_life(drill: Drill) -> None:
    deaths, name = size(10, 3), "worker-21"

    def live() -> Child:
        child = drill.cluster.fleet.start_worker(21, queue=MORTAL, slots=8)
        drill.cluster.started[name] = time.monotonic()
        return child

    child = live()
    drill.cluster.take(name)  # no supervisor starts it again
    drill.until(lambda: drill.rows("SELECT FROM queue WHERE name = %s", MORTAL), "its queue is known")
    runs = drill.sequences(8, steps=10 * deaths, millis=300, queue=MORTAL)
    for _ in range(deaths):
        drill.until(lambda: len(drill.leased_to(name)) == 8, "eight runs execute", 60, lambda: drill.going(runs))
        wait(random.uniform(0, 1))
        drill.kill(child)
        child = live()

    drill.all_succeed(runs, 120)
    drill.report("worker deaths", deaths=deaths, counted=drill.counted(runs))
    assert drill.counted(runs) == (0, 8 * deaths)
    assert drill.repeated(runs) == {}
    _end(drill, name)
