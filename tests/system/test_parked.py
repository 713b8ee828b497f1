"""Many runs that wait together: they hold nothing, newcomers are as quick as before, and each resumes exactly once."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.system.drill import SECRET, Drill, size, wait

DECIDERS = 8
NEWCOMERS = 10
LATE_BY = 1.0
"""Seconds after its time within which a sleeper is awake again."""


@pytest.fixture(scope="module")
def drill(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Return the system; the use of `stack` keeps other whole systems from running concurrently."""
    drill = Drill(tmp_path_factory.mktemp("parked") / "run")
    yield drill
    drill.close()


def _enqueue(drill: Drill, agent: str, count: int, **given: Any) -> list[str]:
    runs: list[str] = []
    while len(runs) < count:
        runs += drill.enqueue_batch(agent, [{**given, "secret": SECRET}] * min(1000, count - len(runs)))
    return runs


def _standing(drill: Drill, runs: list[str], status: str) -> int:
    sql = "SELECT count(*)::int AS n FROM run WHERE id = ANY(%s::uuid[]) AND status = %s"
    return int(drill.row(sql, runs, status)["n"])


def _all_parked(drill: Drill, runs: list[str], seconds: float) -> None:
    drill.until(lambda: _standing(drill, runs, "PAUSED") == len(runs), f"{len(runs)} runs are parked", seconds)


def _questions(drill: Drill, runs: list[str]) -> list[str]:
    sql = "SELECT id::text FROM wait WHERE run_id = ANY(%s::uuid[]) AND kind = 'approval' AND resolved_at IS NULL"
    return [row["id"] for row in drill.rows(sql, runs)]


def _approve_all(drill: Drill, waits: list[str]) -> None:
    def approve(one: str) -> int:
        return drill.http.post(f"/v1/approvals/{one}", json={"decision": "approve"}).status_code

    with ThreadPoolExecutor(DECIDERS) as pool:
        assert set(pool.map(approve, waits)) == {200}


def _newcomers(drill: Drill) -> list[float]:
    """Return the seconds from acceptance to the start of runs that are enqueued one by one."""
    runs = []
    for _ in range(NEWCOMERS):
        runs += drill.sequences(1, steps=1, millis=0)
        drill.end(runs[-1])
    sql = "SELECT extract(epoch FROM started_at - created_at)::float AS s FROM run WHERE id = ANY(%s::uuid[])"
    return sorted(row["s"] for row in drill.rows(sql, runs))


@pytest.mark.timeout(400)
def test_runs_that_wait_for_people_hold_nothing_and_each_goes_on_once(drill: Drill) -> None:
    before = _newcomers(drill)
    runs = _enqueue(drill, "asking", size(2000, 300), questions=1)
    _all_parked(drill, runs, 200)
    held = drill.row("SELECT count(lease_worker)::int AS leases, count(ticket_at)::int AS tickets FROM run")
    assert held == {"leases": 0, "tickets": 0}
    [queue] = [one for one in drill.http.get("/v1/capacity").json()["queues"] if one["queue"] == "default"]
    assert (queue["inFlight"], queue["parked"]) == (0, len(runs))
    during = _newcomers(drill)
    drill.report(
        "parked", runs=len(runs), start_before_s=statistics.median(before), start_during_s=statistics.median(during)
    )
    assert statistics.median(during) < 2 * statistics.median(before) + 0.05

    waits = _questions(drill, runs)
    assert len(waits) == len(runs)
    _approve_all(drill, waits)
    drill.all_succeed(runs, 200)
    once = "SELECT DISTINCT (SELECT count(*)::int FROM event WHERE run_id = run.id AND verb = 'resume') AS resumed, activations"
    assert drill.rows(f"{once} FROM run WHERE id = ANY(%s::uuid[])", runs) == [{"resumed": 1, "activations": 2}]
    assert set(drill.begun(runs).values()) == {1}


@pytest.mark.timeout(600)
def test_a_newcomer_starts_soon_beside_any_number_of_pollers(drill: Drill) -> None:
    pollers = _enqueue(drill, "polling", size(10_000, 400), after=size(150_000, 6000), naps=10_000, millis=1000)
    drill.until(lambda: not _standing(drill, pollers, "QUEUED"), "every poller has begun", 300)
    ready = "SELECT count(*)::int AS n FROM run WHERE id = ANY(%s::uuid[]) AND ready_at IS NOT NULL AND activations > 0"
    drill.until(lambda: drill.row(ready, pollers)["n"] > len(pollers) // 10, "more poll than can be served", 300)
    during = _newcomers(drill)
    drill.report("pollers", runs=len(pollers), slowest_start_s=during[-1])
    assert during[-1] < 2.0
    with ThreadPoolExecutor(DECIDERS) as pool:
        assert set(pool.map(lambda run: drill.cancel(run).status_code, pollers)) <= {200, 202}
    drill.until(lambda: _standing(drill, pollers, "CANCELED") == len(pollers), "all pollers are canceled", 120)


@pytest.mark.timeout(300)
def test_when_everything_was_killed_all_can_be_decided_and_sleepers_wake_in_time(drill: Drill) -> None:
    nap = size(40_000, 24_000)  # longer than a slow machine needs to start everything and to execute what is approved
    sleepers = _enqueue(drill, "napping", 50, naps=1, millis=nap)
    askers = _enqueue(drill, "asking", 50, questions=1)
    _all_parked(drill, [*sleepers, *askers], 60)
    _kill_everything(drill)
    _start_everything(drill)
    first = drill.row(
        "SELECT min(extract(epoch FROM due_at - now()))::float AS s FROM wait WHERE due_at > now() AND kind = 'timer'"
    )
    assert first["s"] > 0, "all was up again before the first of them was to wake"

    waits = _questions(drill, askers)
    assert len(waits) == len(askers)
    _approve_all(drill, waits)
    drill.all_succeed(askers, 60)
    drill.all_succeed(sleepers, 60)
    late = drill.row(
        "SELECT max(extract(epoch FROM resolved_at - due_at))::float AS s FROM wait"
        " WHERE kind = 'timer' AND run_id = ANY(%s::uuid[])",
        sleepers,
    )
    drill.report("everything killed", runs=100, latest_wake_s=late["s"])
    assert late["s"] < LATE_BY
    assert set(drill.begun([*sleepers, *askers]).values()) == {1}


def _kill_everything(drill: Drill) -> None:
    cluster, servers = drill.cluster, drill.stack.servers
    for name in list(cluster.fleet.children):
        assert cluster.take(name)
    for child in [*cluster.fleet.children.values(), *servers.children()]:
        child.kill()
    wait(0.5)


def _start_everything(drill: Drill) -> None:
    cluster, servers = drill.cluster, drill.stack.servers
    assert servers.postgres is not None
    assert servers.valkey is not None
    servers.postgres.start(60)
    servers.valkey.start(60)
    for name in list(cluster.fleet.children):
        cluster.start_again(name, 0)
    cluster.tend()
    drill.stack.wait_for_slots(8)
