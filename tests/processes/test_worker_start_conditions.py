"""A worker waits beside workers of the previous version, and before the schema: it says why, takes nothing, ends on a signal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.conftest import Servers
from tests.processes.fleet import Fleet, Process, fleet_of

AGENTS = """
    @agent
    def echo(run: Run, n: int) -> int:
        return n
"""


@pytest.fixture
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("older_workers")) as fleet:
        fleet.serve(AGENTS)
        yield fleet


def _older(fleet: Fleet) -> UUID:
    """Register a worker as the previous version does, with a lease that outlasts the test."""
    worker = uuid4()
    fleet.database.execute(
        "INSERT INTO worker (id, name, host, pid, queue, slots, liveness_key, lease_until)"
        " VALUES (%s, 'one-of-before', 'h', 1, 'default', 0, 1, now() + interval '1 hour')",
        [worker],
    )
    return worker


def _waiting(fleet: Fleet) -> Process:
    worker = fleet.start("newer", *fleet.worker_command("newer", 1, "default"), TAXIWAY_WORKER_NAME="newer")
    fleet.until(lambda: "worker.waits_for_older" in worker.said(), "it waits")
    return worker


def test_it_begins_when_they_have_left(fleet: Fleet) -> None:
    older = _older(fleet)
    worker = _waiting(fleet)
    assert "one-of-before" in worker.said()
    assert fleet.one("SELECT count(*) AS n FROM worker WHERE name LIKE 'newer%%'")["n"] == 0
    fleet.scheduler()
    run = fleet.enqueue("echo", n=4)
    fleet.database.execute("UPDATE worker SET dead_at = now() WHERE id = %s", [older])
    assert fleet.result(run) == 4


def test_it_ends_at_once_while_it_waits(fleet: Fleet) -> None:
    _older(fleet)
    worker = _waiting(fleet)
    hosts = worker.hosts()
    assert hosts
    worker.terminate()
    began = time.monotonic()
    worker.exit_code()
    assert time.monotonic() - began < 10
    assert "Traceback" not in worker.said()
    fleet.until(lambda: not any(host.is_running() and host.status() != "zombie" for host in hosts), "its hosts end too")


def test_it_begins_when_the_database_is_migrated(fleet: Fleet) -> None:
    definition = fleet.one("SELECT pg_get_functiondef(to_regprocedure('step_was_finished()')) AS sql")["sql"]
    fleet.database.execute("DROP FUNCTION step_was_finished()")
    worker = fleet.start("early", *fleet.worker_command("early", 1, "default"), TAXIWAY_WORKER_NAME="early")
    fleet.until(lambda: "worker.waits_for_schema" in worker.said(), "it waits")
    assert "alembic upgrade head" in worker.said()
    assert fleet.one("SELECT count(*) AS n FROM worker WHERE name LIKE 'early%%'")["n"] == 0
    fleet.scheduler()
    run = fleet.enqueue("echo", n=5)
    fleet.database.execute(definition)
    assert fleet.result(run) == 5
