"""Runs that a worker of the previous version parked or handed back continue: nothing recorded is executed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from models.runs.enqueue import NewRun
from models.runtime.bus import PROMOTE
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.conftest import Servers
from tests.processes.fleet import TENANT, Fleet, fleet_of
from tests.processes.older import OlderWorker, approval_wait, signal_wait, timer_wait, tool_wait

AGENTS = """
    async def draw(what):
        effect(what)
        return f"new {what}"

    def work(what):
        effect(what)
        return f"new {what}"

    @step(retry=Retry(attempts=3, initial="1s", factor=1))
    async def stumble(what):
        effect(what)
        return f"new {what}"

    @agent
    def line(run: Run, id: str):
        first = run.step(work, f"{id} first")
        said = run.approve("Go on?", on_deny="return").approved
        return [first, said, run.wait_for("word"), run.step(work, f"{id} last")]

    @agent
    async def tasks(run: AsyncRun, id: str):
        async def one(n):
            first = await run.step(draw, f"{id} first{n}")
            return [first, await run.wait_for(f"word{n}"), await run.step(draw, f"{id} last{n}")]
        return list(await asyncio.gather(*map(one, range(3))))

    @agent
    async def equal(run: AsyncRun, id: str):
        early = [await run.step(draw, id) for _ in range(2)]
        await run.sleep(3600)
        said = (await run.approve("Go on?", on_deny="return")).approved
        return [*early, said, await run.step(draw, id), await run.step(draw, f"{id} end")]

    @step(tool=True, on_deny="raise")
    def send(what):
        effect(what)
        return f"new {what}"

    @agent
    def tool(run: Run, id: str):
        return run.step(send, id)

    @agent
    async def tools(run: AsyncRun, id: str):
        return await run.step(send, id)

    @agent
    async def again(run: AsyncRun, id: str):
        return [await run.step(stumble, id), await run.step(draw, f"{id} end")]
"""
APPROVAL = "9353b16378937f47d79cb14349528f48"
"""What the version before knew this question by."""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.serve(AGENTS)
        yield fleet


@pytest.fixture(scope="module")
def runs(fleet: Fleet) -> dict[str, UUID]:
    """Return runs as a worker of the previous version left them, and workers of this version."""
    older = OlderWorker(fleet.database, ["line", "tasks", "equal", "again", "tool", "tools"])
    made = {
        "line parked": _line(fleet, older, "lp", parked=True),
        "line executing": _line(fleet, older, "le", parked=False),
        "tasks parked": _tasks(fleet, older, "tp", parked=True),
        "tasks executing": _tasks(fleet, older, "te", parked=False),
        "equal parked": _equal(fleet, older, "eq"),
        "again parked": _again(fleet, older, "ag", parked=True),
        "again executing": _again(fleet, older, "ah", parked=False),
        **{
            f"{agent} {how}": _tool(fleet, older, agent, how)
            for agent in ("tool", "tools")
            for how in ("asked", "approved")
        },
    }
    older.leave()
    fleet.scheduler()
    fleet.worker("newer", slots=4)
    return made


def _line(fleet: Fleet, older: OlderWorker, name: str, *, parked: bool) -> UUID:
    run = fleet.enqueue("line", id=name)
    fence = older.take(run)
    older.step(fence, "work", f"{name} first", value="old first")
    question = approval_wait(APPROVAL, "Go on?")
    older.park(fence, question, wake="all")
    if not parked:
        _decide(fleet, run, question.id)
        fence = older.take(run)
        older.hand_back(fence)
    return run


def _tasks(fleet: Fleet, older: OlderWorker, name: str, *, parked: bool) -> UUID:
    """The second task has received its word and is done; the others wait."""
    run = fleet.enqueue("tasks", id=name)
    fence = older.take(run)
    for n in (2, 0, 1):
        older.step(fence, "draw", f"{name} first{n}", value=f"old first{n}")
    older.park(fence, *(signal_wait(f"word{n}") for n in range(3)))
    fleet.signal(run, "word1", "old word1")
    fence = older.take(run)
    older.step(fence, "draw", f"{name} last1", value="old last1")
    if parked:
        older.park(fence, signal_wait("word0"), signal_wait("word2"))
    else:
        older.hand_back(fence)
    return run


def _equal(fleet: Fleet, older: OlderWorker, name: str) -> UUID:
    run = fleet.enqueue("equal", id=name)
    fence = older.take(run)
    for nth in (1, 2):
        older.step(fence, "draw", name, nth=nth, value=f"old {nth}")
    older.park(fence, timer_wait("wait:timer#sleep#1", due_ms=0), wake="all")
    return run


def _again(fleet: Fleet, older: OlderWorker, name: str, *, parked: bool) -> UUID:
    run = fleet.enqueue("again", id=name)
    fence = older.take(run)
    key = older.step(fence, "stumble", name, failed=True)
    if parked:
        older.park(fence, timer_wait(f"retry 2:{key}", due_ms=0), wake="all")
    else:
        older.hand_back(fence)
    return run


def _tool(fleet: Fleet, older: OlderWorker, agent: str, how: str) -> UUID:
    """People are asked about the call of a tool, or have approved it; it was not called."""
    name = f"{agent} {how}"
    [run] = fleet.enqueue_many(
        [NewRun(agent, "default", json.dumps({"id": name}), approval_strategy="ON_TOOL_CALL")]
    )  # fmt: skip
    asked = tool_wait("send", name)
    older.park(older.take(run), asked, wake="all" if agent == "tool" else "any")
    if how == "approved":
        _decide(fleet, run, asked.id)
    return run


def _decide(fleet: Fleet, run: UUID, wait: UUID) -> None:
    with fleet.database.transaction():
        run_state = waits.lock_run(run, TENANT).one(fleet.database)
        assert run_state is not None
        over = waits.decide(run, wait, outcome="approved", by="ann").all(fleet.database)
        assert over
        wake_run(fleet.database, run_state, over)
    fleet.broker.publish(PROMOTE, "")


def _question(fleet: Fleet, run: UUID) -> UUID:
    sql = "SELECT id FROM wait WHERE run_id = %s AND kind = 'approval' AND resolved_at IS NULL"
    fleet.until(lambda: fleet.database.execute(sql, [run]).fetchall(), f"{run} asks")
    asked: UUID = fleet.one(sql, run)["id"]
    return asked


@pytest.mark.parametrize("which", ["line parked", "line executing"])
def test_a_def_agent_goes_on_behind_its_records(fleet: Fleet, runs: dict[str, UUID], which: str) -> None:
    run = runs[which]
    if which == "line parked":
        _decide(fleet, run, _question(fleet, run))
    fleet.signal(run, "word", "hello")
    name = "lp" if which == "line parked" else "le"
    assert fleet.result(run) == ["old first", True, "hello", f"new {name} last"]
    assert fleet.effects(f"{name} ") == [f"{name} last"]


@pytest.mark.parametrize("which", ["tasks parked", "tasks executing"])
def test_tasks_of_an_async_agent_go_on_each_with_its_own_records(
    fleet: Fleet, runs: dict[str, UUID], which: str
) -> None:
    run, name = runs[which], "tp" if which == "tasks parked" else "te"
    fleet.signal(run, "word2", "new word2")
    fleet.signal(run, "word0", "new word0")
    assert fleet.result(run) == [
        ["old first0", "new word0", f"new {name} last0"],
        ["old first1", "old word1", "old last1"],
        ["old first2", "new word2", f"new {name} last2"],
    ]
    assert sorted(fleet.effects(f"{name} ")) == [f"{name} last0", f"{name} last2"]
    sql = "SELECT count(*) AS n FROM wait WHERE run_id = %s AND kind = 'signal'"
    assert fleet.one(sql, run)["n"] == 3, "what had been opened was not opened again"


@pytest.mark.parametrize("agent", ["tool", "tools"])
def test_nobody_is_asked_again_about_a_tool(fleet: Fleet, runs: dict[str, UUID], agent: str) -> None:
    for how in ("approved", "asked"):
        run = runs[f"{agent} {how}"]
        if how == "asked":
            _decide(fleet, run, _question(fleet, run))
        assert fleet.result(run) == f"new {agent} {how}"
        assert fleet.effects(f"{agent} {how}") == [f"{agent} {how}"]
        assert fleet.one("SELECT count(*) AS n FROM wait WHERE run_id = %s", run)["n"] == 1, "it was asked once"


def test_equal_calls_go_on_behind_those_that_are_recorded(fleet: Fleet, runs: dict[str, UUID]) -> None:
    run = runs["equal parked"]
    _decide(fleet, run, _question(fleet, run))
    assert fleet.result(run) == ["old 1", "old 2", True, "new eq", "new eq end"]
    assert fleet.effects("eq") == ["eq", "eq end"]


@pytest.mark.parametrize("which", ["again parked", "again executing"])
def test_a_step_that_had_failed_has_its_next_attempt(fleet: Fleet, runs: dict[str, UUID], which: str) -> None:
    name = "ag" if which == "again parked" else "ah"
    assert fleet.result(runs[which]) == [f"new {name}", f"new {name} end"]
    assert fleet.effects(name) == [name, f"{name} end"]
    attempts = "SELECT attempts FROM step WHERE run_id = %s AND name = 'stumble'"
    assert fleet.one(attempts, runs[which])["attempts"] == 2


def test_no_run_was_parked_for_its_code_or_counted_a_crash(fleet: Fleet, runs: dict[str, UUID]) -> None:
    told = "SELECT count(*) AS n FROM event WHERE reason = 'code_mismatch' OR data ->> 'type' = 'unused_records'"
    assert fleet.one(told)["n"] == 0
    assert fleet.one("SELECT sum(crashes + losses) AS n FROM run")["n"] == 0
