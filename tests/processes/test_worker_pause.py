"""A pause stops an executing run at the edge of its step: nothing is interrupted, repeated or held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from models import control_requests
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of, pid_is_gone

AGENTS = """
    def gate(name):
        while not (Path(__file__).parent / name).exists():
            time.sleep(0.01)

    @agent
    def walk(run: Run, steps: int = 8):
        def stride(n):
            effect(f"{run.id} {n} begin {os.getpid()}")
            time.sleep(0.25)
            effect(f"{run.id} {n} end {os.getpid()}")
            return n
        return [run.using(name=f"step {n}").step(stride, n) for n in range(steps)]

    @agent
    async def both(run: AsyncRun):
        async def stride(name, nap):
            effect(f"{run.id} {name} begin {os.getpid()}")
            await asyncio.sleep(nap)
            effect(f"{run.id} {name} end {os.getpid()}")
            return name
        first = await asyncio.gather(run.step(stride, "short", 0.4), run.step(stride, "long", 1.5))
        return [*first, await run.step(stride, "last", 0.1)]

    @agent
    def last(run: Run):
        def finishing():
            effect(f"{run.id} last begin {os.getpid()}")
            gate(f"free-{run.id}")
            return 1
        run.using(name="before").step(int, 1)
        return run.step(finishing)
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("pause")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=1)
        yield fleet


def _said(fleet: Fleet, run: UUID, what: str) -> list[str]:
    return [line for line in fleet.effects(f"{run} ") if f" {what} " in line]


def _told(fleet: Fleet, run: UUID) -> None:
    """Wait until the worker has received the pause."""
    [only] = fleet.processes[1:]
    said = lambda: any("run.pausing" in line and str(run) in line for line in only.said().splitlines())  # noqa: E731
    fleet.until(said, "the worker was told")


def _paused(fleet: Fleet, run: UUID) -> None:
    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["reason"], row["lease_worker"], row["ticket_at"]) == ("user", "by_user", None, None)
    assert row["control_request"] is None


def test_a_run_pauses_between_two_steps_and_goes_on_from_there(fleet: Fleet) -> None:
    run = fleet.enqueue("walk")
    fleet.until(lambda: len(_said(fleet, run, "begin")) == 3, "the third step runs")
    fleet.pause(run)
    _paused(fleet, run)
    begun, ended = _said(fleet, run, "begin"), _said(fleet, run, "end")
    assert len(begun) == len(ended) == fleet.run(run)["step_count"], "what had begun came to its end and is recorded"
    assert len(begun) in (3, 4)
    fleet.until(lambda: pid_is_gone(int(begun[0].split()[-1])), "its host is gone")
    active = fleet.run(run)["active_ms"]

    other = fleet.enqueue("walk", steps=1)
    assert fleet.result(other) == [0], "its slot is free"
    assert (fleet.run(run)["active_ms"], len(_said(fleet, run, "begin"))) == (active, len(begun)), "and it stands still"

    fleet.resume(run)
    assert fleet.result(run) == list(range(8))
    assert len(_said(fleet, run, "begin")) == 8, "nothing was repeated"
    assert fleet.verbs(run) == ["enqueue", "start", "pause_by_user", "resume", "continue", "succeed"]
    [paused] = [event for event in fleet.events(run) if event["verb"] == "pause_by_user"]
    assert paused["data"] == {"by": "ann", "comment": "later"}
    row = fleet.run(run)
    assert (row["crashes"], row["losses"], row["activations"]) == (0, 0, 2)


def test_steps_side_by_side_all_come_to_their_end_first(fleet: Fleet) -> None:
    run = fleet.enqueue("both")
    fleet.until(lambda: len(_said(fleet, run, "begin")) == 2, "both run")
    fleet.pause(run)
    _paused(fleet, run)
    assert [line.split()[1] for line in _said(fleet, run, "end")] == ["short", "long"]
    fleet.resume(run)
    assert fleet.result(run) == ["short", "long", "last"]
    assert len(_said(fleet, run, "begin")) == 3


def test_a_cancel_beats_a_pause_that_waits_for_the_end_of_a_step(fleet: Fleet) -> None:
    run = fleet.enqueue("last")
    fleet.in_step(run, "finishing")
    fleet.pause(run)
    _told(fleet, run)
    assert fleet.run(run)["status"] == "RUNNING"
    fleet.cancel(run)
    row = fleet.ends(run)
    assert (row["status"], row["pause_kind"]) == ("CANCELED", None)
    assert "pause_by_user" not in fleet.verbs(run)


def test_a_pause_that_is_taken_back_in_time_stops_nothing_for_good(fleet: Fleet) -> None:
    run = fleet.enqueue("last")
    fleet.in_step(run, "finishing")
    fleet.pause(run)
    _told(fleet, run)
    assert control_requests.take_pause_back(run).one(fleet.database)
    (fleet.folder / f"free-{run}").touch()
    assert fleet.result(run) == 1
    assert "pause_by_user" not in fleet.verbs(run)
    assert len(_said(fleet, run, "begin")) == 1
