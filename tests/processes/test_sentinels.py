"""Behind sentinels the broker's master may die: runs continue on the other server, and every accepted run ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.runs.enqueue import NewRun, enqueue
from models.runtime.redis_client import check_kind, open_redis
from tests.conftest import Servers, cloned_database, one_process_at_a_time
from tests.processes.fleet import TENANT, Fleet
from tests.processes.sentinels import Watched, watched

AGENTS = """
    @agent(timeout="120s")
    def count(run: Run, to: int) -> int:
        for number in range(to):
            def one(number=number):
                effect(f"{run.id} {number}")
                time.sleep(0.05)
            run.using(name=f"n{number}").step(one)
        return to
"""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as group:
        yield group


@pytest.fixture
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path: Path, group: Watched
) -> Iterator[Fleet]:
    with (
        one_process_at_a_time(shared_folder / "fleet.lock"),
        cloned_database(servers, template_database) as database_url,
        Fleet(database_url, group.url, tmp_path) as fleet,
    ):
        yield fleet


def test_runs_continue_when_the_master_dies_and_no_accepted_run_is_lost(fleet: Fleet, group: Watched) -> None:
    fleet.serve(AGENTS)
    fleet.scheduler()
    worker = fleet.worker("one", slots=2)
    before = [fleet.enqueue("count", to=2) for _ in range(3)]
    assert [fleet.result(run) for run in before] == [2, 2, 2]
    long = fleet.enqueue("count", to=100)
    waiting = [fleet.enqueue("count", to=2) for _ in range(20)]
    fleet.until(lambda: f"{long} 3" in fleet.effects(), "the long run is under way")

    group.kill_master()
    with fleet.database.transaction():
        during = enqueue(fleet.database, TENANT, [NewRun("count", "default", '{"to": 2}') for _ in range(5)])

    assert [fleet.result(run, 90) for run in (*waiting, *(row.run_id for row in during))] == [2] * 25
    assert fleet.result(long, 90) == 100
    assert len(fleet.effects(str(long))) == 100  # the run was not disturbed: each step happened once
    assert worker.popen.poll() is None
    with open_redis(group.url) as client:
        assert client.connection_pool.get_connection().port == group.master_port()


def test_a_sentinel_that_is_given_as_the_server_is_named_for_what_it_is(group: Watched) -> None:
    with pytest.raises(Exception, match="is a sentinel: write sentinel://"):
        check_kind(f"redis://:{group.password}@127.0.0.1:{group.ports[0]}/0")
