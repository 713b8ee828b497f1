"""A verb that is not awaited fails the run, with the file and the line; the code after it is not executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

CALLS = {
    "step": "run.step(work)",
    "step of using": "run.using(timeout=5).step(work)",
    "approve": "run.approve('Really?')",
    "ask": "run.ask('How many?', int)",
    "authorize": "run.authorize('bank')",
    "wait_for": "run.wait_for('paid')",
    "sleep": "run.sleep(60)",
    "no sleep": "run.sleep(0)",
    "pause": "run.pause('for lunch')",
    "spawn": "run.spawn('other')",
    "map": "run.map('other', [{}])",
    "gather": "run.gather(run.timer(60))",
    "first": "run.first(run.timer(60))",
    "restart": "run.restart()",
    "cleanup": "run.cleanup(work)",
}

SOURCE = """
def work():
    (Path(__file__).parent / "worked").touch()

@agent
async def kept(run: AsyncRun):
    kept = CALL
    return "done"

@agent
async def kept_to_the_end_of_a_task(run: AsyncRun):
    async def task():
        kept = CALL
        await asyncio.sleep(0)
    await asyncio.create_task(task())
    await run.step(work)
    return "done"

@agent
async def dropped(run: AsyncRun):
    CALL; work()
    work()
    await run.step(work)
    return "done"

@agent
async def in_a_finally(run: AsyncRun):
    try:
        await run.using(name="fails").step(int, "x")
    finally:
        CALL
        work()
        await run.step(work)
"""
KEPT = ("kept", "kept_to_the_end_of_a_task")
DROPPED = ("dropped", "in_a_finally")
"""Their code stops in the middle of what it does: the host serves no other run."""


@pytest.fixture(scope="module", params=CALLS)
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_verb_that_is_not_awaited_fails_the_run_and_nothing_behind_it_is_executed(verb: str, tmp_path: Path) -> None:
    name = verb.rsplit(maxsplit=1)[-1] if verb.startswith("no ") else verb.split(maxsplit=1)[0]
    file = agents_file(tmp_path, SOURCE.replace("CALL", CALLS[verb]))
    lines = [
        n for n, line in enumerate(file.read_text().splitlines(), 1) if CALLS[verb] in line and "await" not in line
    ]
    places = {agent: f"{file}:{line}" for agent, line in zip((*KEPT, *DROPPED), lines, strict=True)}
    with Host(file) as host:
        host.hello()
        for agent in KEPT:
            _fails(host, agent, f"run.{name}(…) at {places[agent]} was never awaited")
            assert host.next()["frame"] == "idle"
        _fails(host, "dropped", f"run.{name}(…) at {places['dropped']} was never awaited")
        assert host.exit_code() == 0
    with Host(file) as host:
        host.hello()
        _fails(host, "in_a_finally", f"run.{name}(…) at {places['in_a_finally']} was never awaited", ["fails"])
        assert host.exit_code() == 0
    assert not (tmp_path / "worked").exists()


def _fails(host: Host, agent: str, says: str, steps: Sequence[str] = ()) -> None:
    run = Run(agent)
    end = host.carry(run)
    assert end["frame"] == "fail", agent
    error = end["error"]
    assert (error["code"], error["type"]) == ("agent_error", "NotAwaited"), (agent, error)
    assert says in error["message"], agent
    assert not host.of_kind("open", "park", "spawn", "restart", "grant"), agent
    assert [step["name"] for step in run.steps.values()] == list(steps)
