"""A real host executes `async def` agents: concurrent steps, in any order, replayed from any part of them."""

from __future__ import annotations

import random
from pathlib import Path

from tests.processes.host_driver import Host, Run, agents_file, wait_until


def test_fifty_concurrent_chains_are_replayed_from_any_part_of_their_steps(tmp_path: Path) -> None:
    source = """
    LOG = Path(__file__).parent / "effects"

    def effect(what):
        with LOG.open("a") as log:
            log.write(f"{what}\\n")

    async def fetch(n: int) -> int:
        await asyncio.sleep(random.random() / 50)
        effect(f"fetch{n}")
        return n * 10

    def store(n: int) -> int:
        time.sleep(random.random() / 100)
        effect(f"store{n}")
        return n + 1

    @agent
    async def main(run: AsyncRun):
        async def chain(n):
            await asyncio.sleep(random.random() / 50)
            return await run.step(store, await run.step(fetch, n))
        return await asyncio.gather(*map(chain, range(50)))
    """
    agents, run, seed = agents_file(tmp_path, source), Run("main"), random.randrange(1 << 30)
    expected = [n * 10 + 1 for n in range(50)]
    log = tmp_path / "effects"
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == expected
        assert len(run.steps) == 100
        for _ in range(3):
            host.next()
            kept = random.Random(seed).sample(sorted(run.steps), 40)
            run.steps = {key: run.steps[key] for key in kept}
            log.unlink()
            assert host.result(run) == expected, f"seed {seed}"
            executed = log.read_text().split()
            assert len(executed) == len(set(executed)) == 60, f"seed {seed}"


def test_a_task_group_may_hold_steps_and_its_failed_step_fails_the_run_by_name(tmp_path: Path) -> None:
    source = """
    async def good(n): return n
    async def bad(): raise ValueError("no")
    async def endless(): await asyncio.sleep(3600)

    @agent
    async def main(run: AsyncRun):
        async with asyncio.TaskGroup() as group:
            group.create_task(run.step(good, 1))
            group.create_task(run.step(bad))
            group.create_task(run.step(endless))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(run)
        assert (end["error"]["code"], end["error"]["step"], end["error"]["message"]) == ("step_error", "bad", "no")
        assert host.next()["frame"] == "idle"
    assert [step["name"] for step in run.steps.values() if step["status"] == "failed"] == ["bad"]


def test_a_new_step_beside_recorded_ones_is_no_mismatch_for_an_async_agent(tmp_path: Path) -> None:
    old = "@agent\nasync def main(run):\n    await run.step(int, 1)\n    await run.step(int, 2)\n"
    new = "@agent\nasync def main(run):\n    return await asyncio.gather(run.step(int, 1), run.step(float, 2))\n"
    run = Run("main")
    with Host(agents_file(tmp_path, old)) as host:
        host.hello()
        host.result(run)
    with Host(agents_file(tmp_path, new)) as host:
        host.hello()
        assert host.result(run) == [1, 2.0]
        assert [frame["name"] for frame in host.of_kind("step")] == ["float"]


def test_a_recorded_step_that_comes_again_with_other_arguments_is_a_mismatch_that_can_be_read(tmp_path: Path) -> None:
    old = "@agent\nasync def main(run):\n    await run.step(int, 1)\n"
    new = "@agent\nasync def main(run):\n    return await run.step(int, 3)\n"
    run = Run("main")
    with Host(agents_file(tmp_path, old)) as host:
        host.hello()
        host.result(run)
    with Host(agents_file(tmp_path, new)) as host:
        host.hello()
        error = host.carry(run)["error"]
    assert (error["code"], error["step"]) == ("code_mismatch", "int")
    assert "called with (3), it was recorded with (1)" in error["message"]
    assert "my_agents.py:7 " in error["message"]
    assert not host.of_kind("step")


def test_steps_of_both_kinds_are_timed_out_and_tried_again(tmp_path: Path) -> None:
    source = """
    RETRY = Retry(2, initial="1ms")

    @step(timeout="100ms", retry=RETRY)
    async def awaiting():
        if taxiway.step_info().attempt == 1:
            await asyncio.sleep(3600)
        return "awaited"

    @step(timeout="100ms", retry=RETRY)
    async def blocking():
        if taxiway.step_info().attempt == 1:
            time.sleep(3600)
        return "blocked"

    @step(timeout="100ms", retry=RETRY)
    def threaded():
        if taxiway.step_info().attempt == 1:
            time.sleep(30)
        return "called"

    @step(timeout="10s")
    async def own_timeout():
        raise TimeoutError("its own")

    @agent
    async def main(run: AsyncRun):
        done = await asyncio.gather(run.step(awaiting), run.step(blocking), run.step(threaded))
        try:
            await run.step(own_timeout)
        except StepFailed as failed:
            return [*done, failed.code]
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == ["awaited", "blocked", "called", "step_error"]
        assert host.exit_code() == 0
    assert {frame["error"]["code"] for frame in host.of_kind("step_failed")[:3]} == {"timeout"}


def test_what_an_agent_left_running_is_canceled_and_may_say_no_more(tmp_path: Path) -> None:
    source = """
    async def slow():
        await asyncio.sleep(3600)

    async def background(run):
        try:
            await run.step(slow)
        except asyncio.CancelledError:
            (Path(__file__).parent / "canceled").touch()
            await run.step(int, 7)

    @agent
    async def main(run: AsyncRun):
        task = asyncio.create_task(background(run))
        await asyncio.sleep(0.02)
        return "done"
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == "done"
        assert host.next()["frame"] == "idle", "the task ended, so that the host may go on"
        assert not host.of_kind("step")
    assert (tmp_path / "canceled").exists()


def test_a_thread_that_still_runs_keeps_its_host_from_another_run(tmp_path: Path) -> None:
    source = """
    @agent
    async def main(run: AsyncRun):
        task = asyncio.create_task(run.step(time.sleep, 30))
        await asyncio.sleep(0.05)
        return "done"
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == "done"
        assert host.exit_code() == 0


def test_a_step_canceled_by_the_agent_itself_is_no_failed_step(tmp_path: Path) -> None:
    source = """
    async def slow():
        await asyncio.sleep(3600)

    async def inner():
        task = asyncio.create_task(asyncio.sleep(3600))
        task.cancel()
        await task

    @agent
    async def main(run: AsyncRun):
        try:
            async with asyncio.timeout(0.05):
                await run.step(slow)
        except TimeoutError:
            pass
        try:
            await run.step(inner)
        except StepFailed as failed:
            return failed.type
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == "CancelledError"
    assert [(step["name"], step["status"]) for step in run.steps.values()] == [
        ("slow", "abandoned"),
        ("inner", "failed"),
    ]


def test_verbs_act_at_once_whether_awaited_or_not(tmp_path: Path) -> None:
    source = """
    async def work():
        taxiway.log("in step")

    def threaded():
        taxiway.log("in thread")

    @agent
    async def main(run: AsyncRun):
        run.log("a")
        await run.log("b")
        run.progress(1, 2)
        await run.emit("x", 1, durable=True)
        run.emit("y", 2, durable=True)
        await asyncio.gather(run.step(work), run.using(name="t").step(threaded))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) is None
    assert sorted(frame["message"] for frame in host.of_kind("log")) == ["a", "b", "in step", "in thread"]
    assert {frame["step"] for frame in host.of_kind("log")} == {None, *run.steps}
    assert len(host.of_kind("event")) == 3


def test_run_verbs_inside_a_step_or_another_thread_are_refused(tmp_path: Path) -> None:
    source = """
    the_run = None

    async def inside():
        await the_run.step(int)

    async def deeper():
        await asyncio.create_task(inside())

    @agent
    async def main(run: AsyncRun):
        global the_run
        the_run = run
        said = []
        for wrong in (inside, deeper):
            try:
                await run.step(wrong)
            except StepFailed as failed:
                said.append(failed.message)
        try:
            await asyncio.to_thread(run.log, "x")
        except RuntimeError as error:
            said.append(str(error))
        return said
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        said = host.result(Run("main"))
    assert "inside step 'inside'" in said[0]
    assert "inside step 'deeper'" in said[1]
    assert "was called in a thread" in said[2]


def test_an_unknown_outcome_of_a_once_step_ends_an_async_agent_whatever_it_swallows(tmp_path: Path) -> None:
    source = """
    @step(once=True)
    async def pay():
        (Path(__file__).parent / "paid").touch()
        await asyncio.sleep(3600)

    @agent
    async def main(run: AsyncRun):
        try:
            await asyncio.gather(run.step(pay))
        except BaseException:
            await run.step(int, 1)
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        host.answer(run, host.serve(run, until=lambda frame: frame["frame"] == "step_started"))
        wait_until((tmp_path / "paid").exists)
        host.kill()
    with Host(agents) as host:
        host.hello()
        end = host.carry(run)
    assert (end["error"]["code"], end["error"]["step"]) == ("once_unknown", "pay")
    assert next(iter(run.steps.values()))["status"] == "intended"
