"""Waits of a real async agent are opened when they are awaited, whatever else its loop does, and decided while it executes."""

from __future__ import annotations

import json
import time
from pathlib import Path

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
