"""What was accepted survives: the death of every process of ours, duplicate tickets, an emptied broker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from models.promotion.tickets import Ticket
from models.runtime.settings import Settings
from scheduler.promotion.publisher import Publisher
from tests.system.live import AGENTS, Live, effects_in, recorded_then_executed_again

LEASE = 5.0
_PROMOTED = """
    SELECT id, epoch, 2 AS ticket_n, agent, queue FROM run
    WHERE id = ANY(%s::uuid[]) AND (ticket_at IS NOT NULL OR lease_worker IS NOT NULL OR finished_at IS NOT NULL)
    """


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    # A short lease: nothing is recovered during the first one of a new scheduler.
    with Live(stack(agents=str(AGENTS / "durable.py"), env={"TAXIWAY_LEASE_SECONDS": str(LEASE)})) as live:
        yield live


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "effects"


def assert_finished(live: Live, runs: list[str], log: Path, seconds: float) -> None:
    """Wait until all have succeeded, and compare the executed steps with the recorded ones."""
    ended = live.end_all(runs, seconds)
    assert {run["status"] for run in ended.values()} == {"SUCCESS"}
    assert {run["result"] for run in ended.values()} == {3}
    assert {run["crashes"] for run in ended.values()} == {0}
    effects = effects_in(log)
    for run in runs:
        assert len({line["key"] for line in effects[run] if line["what"] == "end"}) == 3
        assert recorded_then_executed_again(live, run, effects[run]) == set()


def assert_executed_once(live: Live, runs: list[str], log: Path) -> None:
    """No process died, so each step was executed once, by the run's only activation."""
    for run, lines in effects_in(log).items():
        assert [line["what"] for line in lines] == ["begin", "end"] * 3, run
        assert [event["event"] for event in live.events(run)] == ["status", "start", "step", "step", "step", "end"]


def hosts(live: Live) -> list[psutil.Process]:
    return [child for worker in live.stack.workers for child in psutil.Process(worker.pid).children()]


def test_all_accepted_runs_finish_after_the_sudden_death_of_every_process_of_ours(live: Live, log: Path) -> None:
    runs = [live.enqueue("durable", {"log": str(log), "seconds": 0.25}) for _ in range(50)]
    children = [live.stack.api, *live.stack.schedulers, *live.stack.workers]
    orphans = hosts(live)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        assert child.wait(10)
    _, alive = psutil.wait_procs(orphans, timeout=5)
    assert alive == [], "no agent host outlives its worker"
    with live.connect() as connection:
        left = connection.execute("SELECT status, lease_worker FROM run WHERE finished_at IS NULL").fetchall()
    assert len(left) > 10, "there was work left, also for workers that had been busy since the first was accepted"
    assert any(run["lease_worker"] for run in left), "some were executing"

    for child in children:
        live.stack.fleet.launch(child.command)
    assert_finished(live, runs, log, 60)
    with live.connect() as connection:
        losses = connection.execute("SELECT sum(losses) AS n FROM run").fetchone()
    assert losses == {"n": sum(run["lease_worker"] is not None for run in left)}


class Doubler(threading.Thread):
    """Publishes every ticket of some runs a second time, as soon as it sees it."""

    def __init__(self, live: Live, runs: list[str]) -> None:
        super().__init__(daemon=True)
        self.live, self.runs = live, runs
        self.publisher = Publisher(Settings(database_url=live.stack.database_url, redis_url=live.stack.redis_url))
        self.doubled: set[tuple[str, int]] = set()
        self.enough = threading.Event()

    def run(self) -> None:
        self.publisher.start()
        with self.live.connect() as connection:
            while not self.enough.wait(0.005):
                for row in connection.execute(_PROMOTED, [self.runs]).fetchall():
                    ticket = Ticket(**row)
                    if (str(ticket.id), ticket.epoch) not in self.doubled:
                        self.publisher.publish([ticket])
                        self.doubled.add((str(ticket.id), ticket.epoch))
        self.publisher.stop(5)


def test_a_doubled_ticket_is_dropped_and_nothing_is_executed_twice(live: Live, log: Path) -> None:
    runs = live.enqueue_batch("durable", [{"log": str(log), "seconds": 0.02}] * 40)
    doubler = Doubler(live, runs)
    doubler.start()
    assert_finished(live, runs, log, 40)
    live.until(lambda: len(doubler.doubled) == len(runs), "every ticket was doubled", 5)
    doubler.enough.set()
    doubler.join()
    with redis.Redis.from_url(live.stack.redis_url) as client:
        live.until(lambda: client.llen("taxiway:default") == 0, "the workers have taken all tickets", 10)
    after = live.enqueue("durable", {"log": str(log), "seconds": 0})
    assert_finished(live, [after], log, 10)
    assert_executed_once(live, [*runs, after], log)


def test_emptying_the_broker_while_every_ticket_comes_twice_loses_and_repeats_none(live: Live, log: Path) -> None:
    runs = live.enqueue_batch("durable", [{"log": str(log), "seconds": 0.03}] * 200)
    doubler = Doubler(live, runs)
    doubler.start()
    with redis.Redis.from_url(live.stack.redis_url) as client:
        for done in (0, 60, 120):  # each time some are executing, some have a published ticket, the others wait
            live.until(lambda done=done: len(runs) - len(live.going(runs)) >= done, f"{done} runs are done", 30)
            assert len(live.going(runs)) > 8
            client.flushdb()  # everything of this stack there; other databases of the server are other tests'
    assert_finished(live, runs, log, 90)
    doubler.enough.set()
    doubler.join()
    assert_executed_once(live, runs, log)
