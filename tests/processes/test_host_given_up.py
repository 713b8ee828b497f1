"""What an async agent gives up stays given up: waits that timed out, and steps that lost a race."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

TIMED = """
@agent
async def main(run: AsyncRun):
    try:
        async with asyncio.timeout(1.5):
            return (await run.approve("Go on?")).approved
    except TimeoutError:
        return asyncio.get_running_loop().time()
"""


def test_a_time_out_around_an_approval_is_the_run_s_across_a_park_and_a_kill(tmp_path: Path) -> None:
    agents, run = agents_file(tmp_path, TIMED), Run("main")
    run.park_after_ms = 0
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        host.answer(run, park)
        asked, alarm = park["waits"]
        assert (asked["kind"], alarm["kind"]) == ("approval", "timer")
        assert 0 < alarm["dueMs"] <= 1500
    run.record(park)
    run.park_after_ms = 10_000
    with Host(agents) as host:  # woken by something else, it keeps its slot because the time-out is near
        host.hello()
        host.activate(run)
        host.answer(run, host.serve(run, until=lambda frame: frame["frame"] == "open"))
        host.kill()
    with Host(agents) as host:
        host.hello()
        value = host.result(run)
    assert value == pytest.approx(1.5, abs=0.001), "which is what the clock said, however late it was"
    assert time.monotonic() - run.began >= 1.5
    assert [turn["gone"] for turn in run.turns if turn["gone"]] == [[asked["key"]]]
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == value


def test_a_wait_whose_time_ran_out_while_the_run_was_parked_is_given_up_before_the_run_waits_again(
    tmp_path: Path,
) -> None:
    source = """
    @agent
    async def main(run: AsyncRun):
        try:
            async with asyncio.timeout(60):
                await run.approve("Go on?")
        except TimeoutError:
            return await run.wait_for("more")
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        run.record(park)
        host.send(park, "ack", n=park["n"])
        asked, alarm = park["waits"]
        host.next()
        run.settle(alarm["key"], "elapsed")
        run.began -= 61
        host.activate(run)
        again = host.serve(run, until=lambda frame: frame["frame"] == "park")
        assert [wait["kind"] for wait in again["waits"]] == ["signal"]
        assert [turn["gone"] for turn in run.turns if turn["gone"]] == [[asked["key"]]]
        run.record(again)
        host.send(again, "ack", n=again["n"])
        host.next()
        run.settle(asked["key"], "withdrawn")
        run.settle(again["waits"][0]["key"], "received", "it came")
        assert host.result(run) == "it came"
    assert [turn["gone"] for turn in run.turns if turn["gone"]] == [[asked["key"]]]


def test_a_step_that_was_given_up_is_not_executed_again(tmp_path: Path) -> None:
    source = """
    LOG = Path(__file__).parent / "effects"

    async def ask_model(n: int) -> str:
        with LOG.open("a") as log:
            log.write("asked\\n")
        if len(LOG.read_text().split()) <= 2:
            await asyncio.sleep(30)
        return "model"

    async def fast() -> str:
        return "fast"

    @agent
    async def main(run: AsyncRun):
        async def one(n):
            try:
                return await asyncio.wait_for(run.step(ask_model, n), 0.2)
            except TimeoutError:
                return await run.using(name=f"fallback {n}").step(fast)
        said = await asyncio.gather(one(1), one(2))
        await run.sleep(60)
        return said
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        run.record(park)
        run.settle(park["waits"][0]["key"], "elapsed")
    assert sorted(step["status"] for step in run.steps.values()) == ["abandoned", "abandoned", "succeeded", "succeeded"]
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == ["fast", "fast"]
    assert (tmp_path / "effects").read_text().split() == ["asked", "asked"]


def test_a_step_that_swallows_its_cancel_is_given_up_all_the_same(tmp_path: Path) -> None:
    source = """
    async def stubborn() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "nevertheless"

    @agent
    async def main(run: AsyncRun):
        task = asyncio.create_task(run.step(stubborn))
        await asyncio.wait([task], timeout=0.1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        assert host.result(run) is True
    assert [step["status"] for step in run.steps.values()] == ["abandoned"]
    with Host(agents) as host:
        host.hello()
        assert host.result(run) is True, "as a replay could not hand a value to a cancelled call"
