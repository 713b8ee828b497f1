"""An explanation is right about limits, workers and the scheduler: removing its blockers starts the run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.runtime.session_locks import LEADER
from ops.child import Child
from tests.system.explaining import (
    ALWAYS,
    LEASE,
    busy,
    closing,
    done,
    executes,
    explained,
    goes,
    kinds,
    later,
    named,
    post,
    put,
    serving,
    two_queues,
)
from tests.system.live import AGENTS, Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with two_queues(stack) as live:
        yield live


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "there"


def test_a_run_whose_key_is_held(live: Live, file: Path) -> None:
    with busy(live, file, concurrencyKey="A7") as holder:
        run, other = (live.enqueue("quick", concurrencyKey=key) for key in ("A7", "B8"))
        goes(live, other)
        [blocker] = named(live, run, "key")
        assert (blocker["key"], blocker["limit"], blocker["ahead"]) == ("A7", 1, 0)
        assert [one["runId"] for one in blocker["runs"]] == [holder]
        last = live.enqueue("quick", concurrencyKey="A7")
        live.until(lambda: kinds(live, last) == ["key"], "it waits in line")
        assert explained(live, last)["blockers"][0]["ahead"] == 1
        assert live.http.delete(f"/v1/runs/{holder}").status_code == 202
        goes(live, run)
        goes(live, last)


def test_a_run_of_a_tenant_that_has_all_its_places(live: Live, file: Path) -> None:
    closing(live, "queues/default", tenantLimit=1)
    try:
        with busy(live, file) as holder:
            run = live.enqueue("quick")
            [blocker] = named(live, run, "tenant_limit")
            assert [one["runId"] for one in blocker["runs"]] == [holder]
            put(live, "queues/default", tenantLimit=2)
            goes(live, run)
    finally:
        put(live, "queues/default", tenantLimit=None)


def test_a_run_of_a_queue_that_starts_no_more_in_its_time(live: Live) -> None:
    closing(live, "queues/default", rate={"limit": 1, "per": 3600})
    try:
        goes(live, live.enqueue("quick"))
        run = live.enqueue("quick")
        [blocker] = named(live, run, "rate")
        assert (blocker["limit"], blocker["used"]) == (1, 1)
        assert blocker["until"] > later(minutes=50)
        put(live, "queues/default", rate={"limit": 2, "per": 3600})
        goes(live, run)
    finally:
        put(live, "queues/default", rate=None)


@pytest.mark.parametrize(("path", "kind"), [("queues/default", "queue_limit"), ("agents/held", "agent_limit")])
def test_a_run_beyond_a_limit_in_flight(live: Live, file: Path, path: str, kind: str) -> None:
    closing(live, path, limit=1)
    try:
        with busy(live, file):
            run = live.enqueue("held", {"until": str(file)})
            [blocker] = named(live, run, kind)
            assert (blocker["limit"], blocker["used"]) == (1, 1)
            put(live, path, limit=2)
            executes(live, run)
        goes(live, run)
    finally:
        put(live, path, limit=None)


# --------------------------------------------------------------------------------------------------------- who does the work
def test_a_run_for_which_no_slot_is_free(live: Live, file: Path, tmp_path: Path) -> None:
    with busy(live, file), busy(live, tmp_path / "other"):
        run = live.enqueue("quick")
        [blocker] = named(live, run, "capacity")
        assert {name: blocker[name] for name in ("slots", "executing", "promised", "ahead")} == {
            "slots": 2, "executing": 2, "promised": 0, "ahead": 0,
        }  # fmt: skip
        later, urgent = live.enqueue("quick"), live.enqueue("quick", priority=5)
        assert [explained(live, one)["blockers"][0]["ahead"] for one in (urgent, run, later)] == [0, 1, 2]
        file.touch()
        goes(live, run)


def test_a_run_of_a_queue_without_workers(live: Live) -> None:
    put(live, "queues/empty")
    run = live.enqueue("quick", queue="empty")
    named(live, run, "no_worker")
    worker = live.stack.fleet.start_worker(3, queue="empty", slots=1)
    goes(live, run)
    assert worker.stop(30)


def test_a_run_whose_agent_is_served_elsewhere(live: Live) -> None:
    """A worker that serves other agents does not count for it."""
    others = {"TAXIWAY_AGENTS": str(AGENTS / "short.py")}
    wrong = live.stack.fleet.start_worker(3, queue="others", slots=1, env=others)
    live.until(lambda: serving(live, "others"), "the worker serves other agents")
    run = live.enqueue("quick", queue="others")
    [blocker] = named(live, run, "agent_unserved")
    assert [worker["agents"] for worker in blocker["workers"]] == [["long", "short"]]
    right = live.stack.fleet.start_worker(4, queue="others", slots=1)
    goes(live, run)
    assert wrong.stop(30)
    assert right.stop(30)


def test_a_run_whose_ticket_was_declined(live: Live) -> None:
    closing(live, "queues/default", paused=True)
    run = live.enqueue("quick")
    sql = "UPDATE run SET blocked_on = 'declined', blocked_until = now() + interval '1 h' WHERE id = %s"
    done(live, sql, run)
    put(live, "queues/default", paused=False)
    [blocker] = named(live, run, "declined")
    assert blocker["until"]
    done(live, "UPDATE run SET blocked_until = now() WHERE id = %s", run)
    goes(live, run)


def _stop_scheduler(live: Live) -> None:
    [scheduler] = live.stack.schedulers
    assert scheduler.stop(30)


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


def test_a_run_that_nothing_holds_is_about_to_be_promoted_or_given_its_place(live: Live) -> None:
    """A leader that does nothing: the lock is held, and no duty is done."""
    _stop_scheduler(live)
    with live.connect() as leader:
        leader.execute("SELECT pg_advisory_lock(%s)", [LEADER])
        runs = [live.enqueue("quick"), live.enqueue("quick", concurrencyKey="C9")]
        assert [kinds(live, run) for run in runs] == [["promotion"], ["place"]]
    live.stack.fleet.start_scheduler(1)
    for run in runs:
        goes(live, run)


def test_a_run_that_was_promoted_and_waits_for_a_worker(live: Live) -> None:
    beside = next(child for child in live.stack.workers if child.name == "worker-2")
    with frozen(beside):
        run = live.enqueue("quick", queue="beside")
        live.until(lambda: kinds(live, run) == ["promoted"], "its ticket is out", 2, lambda: explained(live, run))
    goes(live, run)


def test_a_run_without_a_scheduler(live: Live) -> None:
    _stop_scheduler(live)
    run, sleeper = live.enqueue("quick"), live.enqueue("quick", concurrencyKey="D1")
    assert kinds(live, run) == ["no_scheduler"]
    assert kinds(live, sleeper) == ["place", "no_scheduler"]
    live.stack.fleet.start_scheduler(1)
    for one in (run, sleeper):
        goes(live, one)


def test_a_run_whose_worker_was_killed(live: Live, file: Path) -> None:
    """Without a scheduler it is not recovered; a new one judges after a whole lease, and the explanation shows that."""
    doomed = live.stack.fleet.start_worker(5, queue="doomed", slots=1)
    live.until(lambda: serving(live, "doomed"), "the worker is there")
    run = live.enqueue("held", {"until": str(file)}, queue="doomed")
    executes(live, run)
    _stop_scheduler(live)
    doomed.kill()
    live.until(
        lambda: kinds(live, run) == ["no_scheduler", "recovering"], "its lease is over", 3 * LEASE,
        lambda: explained(live, run),
    )  # fmt: skip
    live.stack.fleet.start_scheduler(1)
    live.until(lambda: kinds(live, run) == ["recovering"], "somebody leads", instead=lambda: explained(live, run))
    live.until(lambda: kinds(live, run) == ["no_worker"], "it is recovered", instead=lambda: explained(live, run))
    file.touch()
    worker = live.stack.fleet.start_worker(6, queue="doomed", slots=1)
    goes(live, run)
    assert worker.stop(30)


def test_all_that_holds_a_run_is_named_in_the_order_in_which_to_remove_it(live: Live, file: Path) -> None:
    """And each removal removes just one of them."""
    closing(live, "windows/never", **ALWAYS, kind="blackout")
    put(live, "queues/crowded", paused=True, cordoned=True, window="never")
    put(live, "agents/quick", paused=True)
    run = live.enqueue("quick", queue="crowded")
    post(live, f"runs/{run}/pause")
    ways: dict[str, Callable[[], None]] = {
        "held": lambda: post(live, f"runs/{run}/resume"),
        "queue_paused": lambda: put(live, "queues/crowded", paused=False),
        "queue_cordoned": lambda: put(live, "queues/crowded", cordoned=False),
        "agent_paused": lambda: put(live, "agents/quick", paused=False),
        "window_closed": lambda: put(live, "queues/crowded", window=None),
        "no_worker": lambda: live.stack.fleet.start_worker(7, queue="crowded", slots=1) and None,
    }
    while ways:
        assert kinds(live, run) == list(ways)
        ways.pop(next(iter(ways)))()
        time.sleep(0.05)  # nothing to wait for: a removal is seen by the next answer, but a worker is slower
    goes(live, run)
