"""Leaders die around the times at which a schedule fires: every firing is made once, and none is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models.operations import schedules
from models.runs.enqueue import NewRun
from tests.conftest import Servers
from tests.processes.fleet import TENANT, Fleet, Process, fleet_of

KILLS = 20 if os.environ.get("DRILLS") == "full" else 5
STANDING_BY = 3


@pytest.fixture
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("leaders")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        yield fleet


def _every_second(fleet: Fleet) -> None:
    """Store a schedule that fires every second: the API does not take seconds, the law does."""
    request = schedules.request(NewRun("echo", "default", "{}"), {"agent": "echo"}, queue="default", timeout_ms=None)
    now = fleet.one("SELECT date_trunc('second', now()) AS now")["now"]
    put = schedules.put(
        TENANT, "ticking", cron="* * * * * *", timezone="Europe/Berlin", agent="echo", request=request, overlap="queue",
        catch_up="none", paused=False, next_at=now + timedelta(seconds=1), by=None,
    )  # fmt: skip
    assert put.one(fleet.database)


def _leader(fleet: Fleet) -> Process | None:
    """Return the living process that reported last that it leads."""
    said = [(process.said().rfind("scheduler.leads"), process) for process in fleet.processes]
    living = [process for at, process in said if at >= 0 and process.popen.poll() is None]
    return living[-1] if living else None


def _around_the_second(dice: random.Random) -> None:
    """Return a little before or after a full second."""
    time.sleep(max(0, 1 - time.time() % 1 + dice.uniform(-0.05, 0.05)))  # waits for the time itself


def test_leaders_die_and_every_firing_is_made_once(fleet: Fleet) -> None:
    dice = random.Random(7)
    for n in range(STANDING_BY):
        fleet.scheduler(f"scheduler {n}")
    fleet.until(lambda: _leader(fleet), "somebody leads")
    _every_second(fleet)
    for n in range(KILLS):
        leader = fleet.until(lambda: _leader(fleet), "somebody leads")
        _around_the_second(dice)
        leader.kill()
        fleet.start(f"scheduler {STANDING_BY + n}", "scheduler")
    fired = fleet.one("SELECT count(*) AS n FROM firing")["n"]
    enough = max(fired + 3, KILLS + 1)
    fleet.until(lambda: fleet.one("SELECT count(*) AS n FROM firing")["n"] >= enough, "firings continue")

    with fleet.database.transaction():  # one snapshot: the schedule, its firings and its runs
        fleet.database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        firings = fleet.database.execute("SELECT * FROM firing ORDER BY at").fetchall()
        runs = fleet.database.execute(
            "SELECT run_id, value AS for FROM label WHERE kind = 'metadata' AND name = 'scheduledFor'"
        ).fetchall()
        schedule = fleet.one("SELECT * FROM schedule")
    times = [firing["at"] for firing in firings]
    assert len(times) > KILLS
    assert times == [times[0] + timedelta(seconds=n) for n in range(len(times))], "none is lost"
    assert schedule["next_at"] == times[-1] + timedelta(seconds=1)
    made = {firing["run_id"]: firing["at"] for firing in firings if firing["outcome"] == "fired"}
    said = {run["run_id"]: run["for"] for run in runs}
    assert len(made) == len(runs), "and each made one run"
    assert {run: at.isoformat(timespec="milliseconds")[:19] for run, at in made.items()} == {
        run: scheduled[:19] for run, scheduled in said.items()
    }
