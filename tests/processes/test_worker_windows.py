"""A window that closes parks its runs at the edge of a step, holding nothing, and resumes them when it opens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from models.calendar import windows
from models.runs.enqueue import NewRun
from models.runtime.bus import PROMOTE
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    @agent
    def walk(run: Run, steps: int = 4):
        def stride(n):
            effect(f"{run.id} {n} begin")
            time.sleep(0.25)
            effect(f"{run.id} {n} end")
            return n
        return [run.using(name=f"step {n}").step(stride, n) for n in range(steps)]
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("windows")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=1)
        yield fleet


def window(fleet: Fleet, name: str, on_close: str) -> None:
    times = {"cron": "0 * * * *", "duration_ms": 3_600_000, "timezone": "Europe/Berlin", "kind": "window"}
    assert windows.put(name, **times, on_close=on_close, by="ann").one(fleet.database)  # type: ignore[arg-type]


def turn(fleet: Fleet, name: str, state: str, **distance: float) -> None:
    until = datetime.now(UTC) + timedelta(**distance)
    assert windows.override(name, state=state, until=until, by="ann", reason="test").one(fleet.database)
    fleet.broker.publish(PROMOTE, "")


def enqueue(fleet: Fleet, name: str) -> UUID:
    return fleet.enqueue_many([NewRun("walk", "default", "{}", window=name)])[0]


def begun(fleet: Fleet, run: UUID) -> int:
    return len([line for line in fleet.effects(f"{run} ") if line.endswith("begin")])


def test_a_run_parks_when_its_window_closes_and_goes_on_by_itself_when_it_opens(fleet: Fleet) -> None:
    window(fleet, "night", "pause")
    run = enqueue(fleet, "night")
    fleet.until(lambda: begun(fleet, run) == 1, "the first step runs")
    turn(fleet, "night", "closed", seconds=3)

    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["reason"], row["lease_worker"], row["control_request"]) == (
        "agent", "window_closed", None, None,
    )  # fmt: skip
    assert row["step_count"] == begun(fleet, run) < 4, "what had begun came to its end"
    other = fleet.enqueue("walk", steps=1)
    assert fleet.result(other) == [0], "its slot is free"
    later = enqueue(fleet, "night")

    assert fleet.result(run) == [0, 1, 2, 3]
    assert begun(fleet, run) == 4, "nothing was repeated"
    assert fleet.verbs(run) == ["enqueue", "start", "pause_by_agent", "resume", "continue", "succeed"]
    reasons = {event["verb"]: event["reason"] for event in fleet.events(run)}
    assert (reasons["pause_by_agent"], reasons["resume"]) == ("window_closed", "window_opened")
    assert fleet.result(later) == [0, 1, 2, 3]
    started, opened = fleet.run(later)["started_at"], fleet.one('SELECT override_until AS at FROM "window"')["at"]
    assert started >= opened, "and nothing began while it was closed"


def test_a_run_goes_on_to_its_end_where_the_window_does_not_pause(fleet: Fleet) -> None:
    window(fleet, "gentle", "finish")
    run = enqueue(fleet, "gentle")
    fleet.until(lambda: begun(fleet, run) == 1, "the first step runs")
    turn(fleet, "gentle", "closed", hours=1)
    assert fleet.result(run) == [0, 1, 2, 3]
    assert "pause_by_agent" not in fleet.verbs(run)
    waiting = enqueue(fleet, "gentle")
    assert fleet.result(fleet.enqueue("walk", steps=1)) == [0], "others are promoted past it"
    assert fleet.run(waiting)["status"] == "QUEUED"
    turn(fleet, "gentle", "open", hours=1)
    assert fleet.result(waiting) == [0, 1, 2, 3]
