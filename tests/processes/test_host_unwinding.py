"""A parked agent whose `finally` takes some time, by its own timers, is parked after that."""

from __future__ import annotations

from pathlib import Path

from tests.processes.host_driver import Host, Run, agents_file

SOURCE = """
@agent
async def main(run: AsyncRun):
    async def connection():
        try:
            await run.wait_for("never")
        finally:
            await asyncio.sleep(0.2)
            print("closed", flush=True)

    task = asyncio.create_task(connection())
    try:
        await run.approve("Go on?")
    finally:
        async with asyncio.timeout(0.3):
            await asyncio.gather(task, return_exceptions=True)
"""


def test_a_finally_that_sleeps_ends_and_its_host_goes_on(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, SOURCE)) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        assert len(park["waits"]) == 2
        host.send(park, "ack", n=park["n"])
        assert host.next()["frame"] == "idle"
        host.channel.send({"frame": "stop"})
        assert host.exit_code() == 0
        assert host.stdout() == "closed\n"
