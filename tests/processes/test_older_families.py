"""Runs whose children were started by a worker of the previous version continue with them: none is started again."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of
from tests.processes.older import OlderWorker

AGENTS = """
    def work(what):
        effect(what)
        return what

    @agent
    def child(run: Run, id: str):
        return run.step(work, id)

    @agent
    def plain(run: Run, id: str):
        return run.gather(*run.map("child", [{"id": f"{id} {n}"} for n in range(3)]))

    @agent
    async def tasks(run: AsyncRun, id: str):
        return list(await run.gather(*await run.map("child", [{"id": f"{id} {n}"} for n in range(3)])))
"""
FAMILIES = [(agent, parked) for agent in ("plain", "tasks") for parked in (True, False)]


def _begun(fleet: Fleet, older: OlderWorker, agent: str, *, parked: bool) -> UUID:
    name = f"{agent} {parked}"
    run = fleet.enqueue(agent, id=name)
    fence = older.take(run)
    waits = older.start(fence, "child", *({"id": f"{name} {n}"} for n in range(3)))
    if parked:
        older.park(fence, *waits, wake="all" if agent == "plain" else "any")
    else:
        older.hand_back(fence)
    return run


@pytest.fixture(scope="module")
def results(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], tuple[object, list[str], int]]:
    """Return for each family its result, the effects of its children, and their number."""
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.serve(AGENTS)
        older = OlderWorker(fleet.database, ["child", "plain", "tasks"])
        runs = {(agent, parked): _begun(fleet, older, agent, parked=parked) for agent, parked in FAMILIES}
        older.leave()
        fleet.scheduler()
        fleet.worker("newer", slots=4)
        count = "SELECT count(*) AS n FROM run WHERE parent_run_id = %s"
        return {
            (agent, parked): (fleet.result(run), fleet.effects(f"{agent} {parked} "), fleet.one(count, run)["n"])
            for (agent, parked), run in runs.items()
        }


@pytest.mark.parametrize(("agent", "parked"), FAMILIES)
def test_children_that_were_started_are_not_started_again(
    results: dict[tuple[str, bool], tuple[object, list[str], int]], agent: str, parked: bool
) -> None:
    result, effects, born = results[agent, parked]
    names = [f"{agent} {parked} {n}" for n in range(3)]
    assert (result, sorted(effects), born) == (names, names, 3)
