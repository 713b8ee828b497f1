"""A canceled agent undoes its work: steps of `run.cleanup` are executed to their end within the grace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

# Longer than the second after which a host interrupts again what a cancel did not end.
LONG = "time.sleep(2.5)"

AGENTS = {
    "a def agent": """
    def book(): return "room 7"
    def release(what):
        {long}
        return f"released {{what}}"

    @agent
    def main(run):
        booked = run.step(book)
        try:
            run.log("ready")
            time.sleep(3600)
        finally:
            run.cleanup(release, booked)
            try:
                run.step(book)
            except BaseException as error:
                print("refused:", type(error).__name__, flush=True)
                raise
    """,
    "an async agent with a step in a thread": """
    def book(): return "room 7"
    def release(what):
        {long}
        return f"released {{what}}"

    @agent
    async def main(run):
        booked = await run.step(book)
        try:
            run.log("ready")
            await run.step(asyncio.sleep, 3600)
        finally:
            await run.cleanup(release, booked)
            try:
                await run.step(book)
            except BaseException as error:
                print("refused:", type(error).__name__, flush=True)
                raise
    """,
    "an async agent with a step that blocks its loop": """
    def book(): return "room 7"
    async def release(what):
        {long}
        await asyncio.sleep(0.01)
        return f"released {{what}}"

    @agent
    async def main(run):
        booked = await run.step(book)
        async def child():
            try:
                run.log("ready")
                await run.step(asyncio.sleep, 3600)
            finally:
                await run.cleanup(release, booked)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
        finally:
            try:
                await run.step(book)
            except BaseException as error:
                print("refused:", type(error).__name__, flush=True)
                raise
    """,
}


def _cancel(host: Host, run: Run) -> None:
    """Cancel a run as soon as it reports that it is ready."""
    ready = host.serve(run, until=lambda frame: frame["frame"] == "log")
    host.channel.send({"frame": "cancel", "activation": ready["activation"], "kind": "cancel", "graceMs": 60_000})


@pytest.mark.parametrize("kind", AGENTS)
def test_a_cleanup_is_executed_to_its_end_and_recorded_before_the_run_ends_as_canceled(
    kind: str, tmp_path: Path
) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, AGENTS[kind].format(long=LONG))) as host:
        host.hello()
        host.activate(run)
        _cancel(host, run)
        end = host.serve(run)
        assert (end["frame"], end["error"]["code"]) == ("fail", "canceled")
        assert host.exit_code() == 0
        assert host.stdout() == "refused: Canceled\n"
    assert [(step["name"], step["status"]) for step in run.steps.values()] == [
        ("book", "succeeded"),
        ("release", "succeeded"),
    ]
    assert run.value("release") == "released room 7"


RETRYING = """
    def undo():
        if taxiway.step_info().attempt < 3:
            raise ConnectionError("not now")
        return "undone"

    @agent(retry=Retry(3, initial="50ms"))
    def main(run):
        run.step(int, 1)
        try:
            run.log("ready")
            time.sleep(3600)
        finally:
            run.cleanup(undo)
"""


def test_a_cleanup_is_tried_again_as_any_step_is(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, RETRYING)) as host:
        host.hello()
        host.activate(run)
        _cancel(host, run)
        assert host.serve(run)["error"]["code"] == "canceled"
    assert run.value("undo") == "undone"
    assert [frame["attempts"] for frame in host.of_kind("step_failed")] == [1, 2]


PARKED = """
    @agent
    async def main(run):
        await run.step(int, 1)
        try:
            await run.approve("Go on?")
        finally:
            await run.cleanup(int, 2)
"""


def test_a_park_begins_no_cleanup(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, PARKED)) as host:
        host.hello()
        host.activate(run)
        assert host.serve(run, until=lambda frame: frame["frame"] == "park")["waits"]
    assert [step["value"] for step in run.steps.values()] == ["1"]
