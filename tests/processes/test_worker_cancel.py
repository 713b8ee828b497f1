"""Whatever agent code does, a cancel ends it within its grace and names its step, and the slot continues."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of, pid_is_gone

GRACE = 1.0
SLACK = 2.0  # for a machine that is busy with other work

AGENTS = """
    def beginning(run):
        effect(f"{run.id} {os.getpid()}")

    def jam():
        "Wait in C for a lock that is never free; no signal ends that."
        lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
        libc.pthread_mutex_lock(lock)
        libc.pthread_mutex_lock(lock)

    @agent
    def spin(run: Run):
        def spinning():
            beginning(run)
            while True:
                pass
        return run.step(spinning)

    @agent
    def snore(run: Run):
        def snoring():
            beginning(run)
            time.sleep(3600)
        return run.step(snoring)

    @agent
    def dig(run: Run):
        def digging():
            beginning(run)
            jam()
        return run.step(digging)

    @agent
    def grind(run: Run):
        def grinding():
            import hashlib
            beginning(run)
            hashlib.pbkdf2_hmac("sha512", b"x", b"y", 2_000_000_000)
        return run.step(grinding)

    @agent
    def seize(run: Run):
        def seizing():
            beginning(run)
            lock, libc = ctypes.create_string_buffer(64), ctypes.PyDLL(None)  # keeps the interpreter's lock as well,
            libc.pthread_mutex_lock(lock)                                     # so that no thread of the host goes on
            libc.pthread_mutex_lock(lock)
        return run.step(seizing)

    @agent
    async def hang(run: AsyncRun):
        async def hanging():
            beginning(run)
            await asyncio.Event().wait()
        return await run.step(hanging)

    @agent
    def swallow(run: Run):
        def swallowing():
            beginning(run)
            while True:
                try:
                    time.sleep(0.01)
                except BaseException:
                    pass
        return run.step(swallowing)

    @agent
    def stray(run: Run):
        beginning(run)
        while True:
            time.sleep(0.01)

    @agent
    def spawn(run: Run):
        def spawning():
            child = subprocess.Popen(["sleep", "3600"])
            effect(f"{run.id} {os.getpid()} {child.pid}")
            child.wait()
        return run.step(spawning)

    @agent
    def echo(run: Run, value: int = 1):
        return run.using(name="echo").step(int, value)

    @agent
    def outlast(run: Run):
        def outlasting():
            effect(f"attempt {run.id}")
            jam()
        return run.using(timeout=0.3, retry=Retry(attempts=2, initial=0.01)).step(outlasting)
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("cancel")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=1)
        yield fleet


def _began(fleet: Fleet, run: UUID) -> list[int]:
    """Wait until the agent's code runs, and return its processes."""
    [line] = fleet.until(lambda: fleet.effects(str(run)), f"{run} begins")
    return [int(pid) for pid in line.split()[1:]]


def _canceled(fleet: Fleet, run: UUID, within: float) -> dict[str, Any]:
    """Cancel the run and return the data of its end."""
    asked = time.monotonic()
    fleet.cancel(run, grace_ms=int(GRACE * 1000))
    row = fleet.ends(run)
    took = time.monotonic() - asked
    [end] = fleet.events(run, "end")
    assert (row["status"], row["reason"]) == ("CANCELED", "by_user")
    assert took < within + SLACK, f"took {took:.1f} s"
    return dict(end["data"])


@pytest.mark.parametrize(
    ("agent", "step", "how", "within"),
    [
        ("spin", "spinning", "interrupted", 1.0),
        ("snore", "snoring", "interrupted", 1.0),
        ("hang", "hanging", "interrupted", 1.0),
        ("stray", None, "interrupted", 1.0),
        ("dig", "digging", "killed", GRACE + 1),
        ("grind", "grinding", "killed", GRACE + 1),
        ("seize", "seizing", "killed", GRACE + 1),
        ("swallow", "swallowing", "killed", GRACE + 1),
    ],
)
def test_a_stuck_agent_is_canceled_and_its_slot_goes_on(
    fleet: Fleet, agent: str, step: str | None, how: str, within: float
) -> None:
    run = fleet.enqueue(agent)
    [host] = _began(fleet, run)
    if step:
        fleet.in_step(run, step)

    end = _canceled(fleet, run, within)

    assert re.split("[#@]", end.get("stepInFlight") or "")[0] == (step or "")
    assert (end["stopped"], end["by"], end["comment"]) == (how, "ann", "enough")
    assert fleet.result(fleet.enqueue("echo", value=7)) == 7
    fleet.until(lambda: pid_is_gone(host), "the interrupted host ends", 5)


def test_a_kill_takes_the_processes_that_a_step_started_with_it(fleet: Fleet) -> None:
    run = fleet.enqueue("spawn")
    host, child = _began(fleet, run)

    _canceled(fleet, run, GRACE + 1)

    fleet.until(lambda: pid_is_gone(host) and pid_is_gone(child), "both are gone", 5)


def test_a_queued_run_is_canceled_at_once_and_never_starts(fleet: Fleet) -> None:
    first = fleet.enqueue("snore")
    _began(fleet, first)
    waiting = fleet.enqueue("echo")

    fleet.cancel(waiting)

    assert fleet.run(waiting)["status"] == "CANCELED"
    _canceled(fleet, first, 1.0)
    assert fleet.verbs(waiting) == ["enqueue", "cancel"]


def test_a_step_that_no_interrupt_reaches_is_killed_after_its_timeout_and_its_attempts_are_counted(
    fleet: Fleet,
) -> None:
    run = fleet.enqueue("outlast")

    row = fleet.ends(run)

    assert (row["status"], row["reason"], row["error"]["code"]) == ("FAILED", "timeout", "timeout")
    assert row["error"]["step"].startswith("outlasting")
    assert len(fleet.effects(f"attempt {run}")) == 2
    assert row["crashes"] == 0
    step = fleet.one("SELECT status, attempts FROM step WHERE run_id = %s", run)
    assert step == {"status": "failed", "attempts": 2}


@pytest.mark.parametrize(("agent", "how"), [("snore", "interrupted"), ("dig", "killed")])
def test_a_run_that_is_active_for_too_long_fails(fleet: Fleet, agent: str, how: str) -> None:
    run = fleet.enqueue(agent, timeout_ms=400)

    row = fleet.ends(run)

    [end] = fleet.events(run, "end")
    assert (row["status"], row["reason"], row["error"]["code"]) == ("FAILED", "timeout", "timeout")
    assert (end["data"]["stopped"], row["active_ms"] >= 400) == (how, True)


def test_a_cancel_of_a_run_over_its_time_beats_the_time_limit(fleet: Fleet) -> None:
    run = fleet.enqueue("dig", timeout_ms=300)
    _began(fleet, run)
    time.sleep(0.6)  # the time limit is enforced by now, including the worker's grace of a second

    fleet.cancel(run, grace_ms=60_000)

    assert fleet.ends(run, 10)["status"] == "CANCELED"
