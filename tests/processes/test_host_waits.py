"""Waits of a real async agent are opened when they are awaited, whatever else its loop holds, and decided while it executes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.processes.host_driver import Host, Run, agents_file

SOON = 0.1
"""Seconds within which people are asked."""

BESIDE = {
    "nothing but a step": "await asyncio.gather(ask(), run.step(asyncio.sleep, 30))",
    "a shield": "await asyncio.gather(asyncio.shield(ask()), keep())",
    "a plain future": """
            future = asyncio.get_running_loop().create_future()
            asked = asyncio.create_task(ask())
            asked.add_done_callback(lambda task: future.set_exception(task.exception()))
            await asyncio.gather(future, keep())
    """,
    "a task group of anyio": """
            import anyio
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                group.start_soon(keep)
    """,
    "a heartbeat": """
            async def beat():
                while True:
                    await asyncio.sleep(0.05)
            heart = asyncio.create_task(beat())
            await ask()
    """,
    "an open socket": """
            server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            listening = asyncio.create_task(reader.read(1))
            await ask()
    """,
    "a call in a thread": """
            waiting = asyncio.create_task(asyncio.to_thread(time.sleep, 2))
            await ask()
    """,
    "a time-out": """
            async with asyncio.timeout(5):
                await ask()
    """,
}

SOURCE = """
@agent
async def main(run: AsyncRun):
    said = []
    over = asyncio.Event()

    async def keep():
        beats = 0
        while not over.is_set():
            await asyncio.sleep(0.05)

    async def ask():
        for n in range(3):
            run.log(repr(time.monotonic()))
            said.append((await run.approve(f"Number {n}?", on_deny="return")).approved)
        over.set()
        raise RuntimeError("asked")

    try:
        try:
            CODE
        except* RuntimeError:
            pass
    except RuntimeError:
        pass
    return said
"""


@pytest.mark.parametrize("what", BESIDE)
def test_people_are_asked_beside_whatever_the_loop_holds_and_their_answers_reach_the_running_agent(
    what: str, tmp_path: Path
) -> None:
    run, took = Run("main"), list[float]()
    code = BESIDE[what].strip()
    with Host(agents_file(tmp_path, SOURCE.replace("CODE", code))) as host:
        host.hello()
        host.activate(run)
        for approved in (True, False, True):
            awaited = float(host.serve(run, until=lambda frame: frame["frame"] == "log")["message"])
            opened = host.serve(run, until=lambda frame: frame["frame"] == "open")
            took.append(time.monotonic() - awaited)
            host.answer(run, opened)
            (wait,) = opened["waits"]
            settled = run.settle(wait["key"], "approved" if approved else "denied")
            host.send(opened, "settled", waits=[settled])
        assert json.loads(host.serve(run)["value"]) == [True, False, True]
    assert min(took) < SOON, took
    assert run.activations == 1
    assert [turn["seen"] for turn in run.turns if turn["seen"] != ["moment"]] == [[key] for key in run.waits]


def test_what_is_awaited_in_one_turn_of_the_loop_is_opened_together(tmp_path: Path) -> None:
    source = """
    @agent
    async def main(run: AsyncRun):
        async def beat():
            while True:
                await asyncio.sleep(0.05)
        heart = asyncio.create_task(beat())
        return await asyncio.gather(run.wait_for("a"), run.wait_for("b"), run.gather(run.signal("c"), run.timer(60)))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.activate(run)
        opened = host.serve(run, until=lambda frame: frame["frame"] == "open")
        assert [wait["kind"] for wait in opened["waits"]] == ["signal", "signal", "signal", "timer"]


def test_an_outcome_that_is_told_again_is_shown_once(tmp_path: Path) -> None:
    source = """
    @agent
    async def main(run: AsyncRun):
        both = asyncio.gather(run.wait_for("a"), run.wait_for("b"))
        return await asyncio.gather(both, run.step(asyncio.sleep, 0.5))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.activate(run)
        opened = host.serve(run, until=lambda frame: frame["frame"] == "open")
        host.answer(run, opened)
        first, second = (run.settle(wait["key"], "received", n) for n, wait in enumerate(opened["waits"]))
        host.send(opened, "settled", waits=[first])
        host.send(opened, "settled", waits=[first, second])
        assert json.loads(host.serve(run)["value"])[0] == [0, 1]
    assert [turn["seen"] for turn in run.turns] == [[first["key"]], [second["key"]]]


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
    with Host(agents) as host:  # woken for something else, it keeps its slot as the time-out is near
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


SWAPS = """
from decimal import Decimal

async def load(n: int) -> int:
    await asyncio.sleep(0.3 if n == 1 else 0.01)
    return n

def text(page: bytes) -> str:
    return page.decode()

def triple(amount: Decimal) -> str:
    return str(3 * amount)

@agent
async def main(run: AsyncRun):
    async def one(n):
        await run.step(load, n)
        return await run.step(text, f"page {n}".encode()), await run.step(triple, Decimal(n))
    said = await asyncio.gather(one(1), one(2))
    await run.sleep(60)
    return said
"""


def test_values_of_tasks_do_not_change_places_though_json_cannot_tell_their_arguments_apart(tmp_path: Path) -> None:
    agents, run = agents_file(tmp_path, SWAPS), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        run.record(park)
        run.settle(park["waits"][0]["key"], "elapsed")
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == [["page 1", "3"], ["page 2", "6"]]


def test_uvloop_in_a_library_changes_nothing(tmp_path: Path) -> None:
    source = """
    import uvloop
    uvloop.install()

    @agent
    async def main(run: AsyncRun):
        await run.wait_for("never")
        return type(asyncio.get_running_loop()).__module__
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        run.record(park)
        run.settle(park["waits"][0]["key"], "received")
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == "taxiway.host.agent_loop"


LEGACY = """
def double(n: int) -> int:
    (Path(__file__).parent / f"executed {n}").touch()
    return 2 * n

@agent
async def main(run: AsyncRun):
    first = await asyncio.gather(*(run.step(double, n) for n in (1, 1, 2)))
    paid = await run.wait_for("paid")
    await run.sleep(5)
    return [first, paid, await run.step(double, 7)]
"""


def _of_today(n: int, occurrence: int) -> dict[str, Any]:
    from taxiway.identity import arguments_digest  # noqa: PLC0415 - as that version counted them

    digest = arguments_digest((n,), {})
    return {
        "key": f"double#{digest}#{occurrence}", "name": "double", "status": "succeeded", "attempts": 1,
        "value": str(100 * n + occurrence), "error": None, "large": False, "digest": digest, "occurrence": occurrence,
    }  # fmt: skip


def test_a_run_that_was_recorded_by_the_keys_of_earlier_versions_goes_on(tmp_path: Path) -> None:
    run = Run("main")
    for n, occurrence in ((2, 1), (1, 2), (1, 1)):
        step = _of_today(n, occurrence)
        run.steps[step["key"]] = step
    for key, outcome, answer in (
        ("wait:signal#paid#1", "received", '{"n": 1}'),
        ("wait:timer#sleep#1", "elapsed", None),
    ):
        run.waits[key] = {"key": key, "kind": key.split(":")[1].split("#")[0], "outcome": outcome, "answer": answer}
    run.activations = 1
    with Host(agents_file(tmp_path, LEGACY)) as host:
        host.hello()
        assert host.result(run) == [[101, 102, 201], {"n": 1}, 14]
        assert [frame["key"] for frame in host.of_kind("step")] == ["double@0#4"]
    assert [path.name for path in tmp_path.glob("executed*")] == ["executed 7"]
