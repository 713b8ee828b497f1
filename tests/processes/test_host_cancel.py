"""A real host must cancel agents that are stuck in every possible way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.processes.host_driver import PATIENCE, Host, Run, agents_file, alive, wait_until

# One second more, and the run would be parked before the cancel.
BACK_OFF = "Retry(3, initial='4.9s', jitter=0)"
READY = '(Path(__file__).parent / "ready").touch()'

STUCK = {
    "def spinning": "def main(run):\n    {ready}\n    while True: pass",
    "def sleeping": "def main(run):\n    {ready}\n    time.sleep(3600)",
    "def waiting for a lock": "def main(run):\n    {ready}\n    threading.Event().wait()",
    "def in a step": "def main(run):\n    def work():\n        {ready}\n        time.sleep(3600)\n    run.step(work)",
    "def in back-off": (
        "def main(run):\n"
        "    def work():\n        {ready}\n        raise ValueError\n"
        "    run.using(retry={back_off}).step(work)"
    ),
    "def swallowing everything": (
        "def main(run):\n    {ready}\n"
        "    end = time.monotonic() + 1.5\n"
        "    while time.monotonic() < end:\n"
        "        try:\n            time.sleep(3600)\n        except BaseException:\n            pass\n"
        "    return 'done'"
    ),
    "def raising something else": (
        "def main(run):\n    {ready}\n    try:\n        time.sleep(3600)\n    finally:\n        raise ValueError('mine')"
    ),
    "async awaiting for ever": "async def main(run):\n    {ready}\n    await asyncio.Event().wait()",
    "async spinning": "async def main(run):\n    {ready}\n    while True: pass",
    "async sleeping in a step": (
        "async def main(run):\n    async def work():\n        {ready}\n        time.sleep(3600)\n    await run.step(work)"
    ),
    "async in a gather of steps": (
        "async def main(run):\n    async def work(n):\n        {ready}\n        await asyncio.sleep(3600)\n"
        "    await asyncio.gather(*(run.step(work, n) for n in range(5)))"
    ),
    "async in back-off": (
        "async def main(run):\n"
        "    def work():\n        {ready}\n        raise ValueError\n"
        "    await run.using(retry={back_off}).step(work)"
    ),
    "async swallowing everything": (
        "async def main(run):\n    {ready}\n"
        "    end = time.monotonic() + 1.5\n"
        "    while time.monotonic() < end:\n"
        "        try:\n            await asyncio.sleep(3600)\n        except BaseException:\n            pass\n"
        "    return 'done'"
    ),
    "async with a step in a thread": (
        "async def main(run):\n    def work():\n        {ready}\n        time.sleep(10)\n    await run.step(work)"
    ),
}


@pytest.mark.parametrize("how", STUCK)
def test_a_stuck_agent_is_canceled_whatever_it_does_and_its_host_ends(tmp_path: Path, how: str) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, "@agent\n" + STUCK[how].format(ready=READY, back_off=BACK_OFF))) as host:
        host.hello()
        activation = host.activate(run)
        if "back-off" in how:
            host.answer(run, host.serve(run, until=lambda frame: frame["frame"] == "step_failed"))
        wait_until((tmp_path / "ready").exists)
        asked = time.monotonic()
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        end = host.serve(run)
        took = time.monotonic() - asked
        assert (end["frame"], end["error"]["code"]) == ("fail", "canceled")
        assert took < (8 if "swallowing" in how else 4), "it would be longer"
        assert host.exit_code() == 0
        assert not host.of_kind("idle")


def test_a_run_out_of_time_ends_with_that_code(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, "@agent\ndef main(run):\n    time.sleep(3600)")) as host:
        host.hello()
        activation = host.activate(run)
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "timeout", "graceMs": 5000})
        assert host.serve(run)["error"]["code"] == "timeout"


def test_after_a_cancel_no_verb_is_accepted_and_no_result_counts(tmp_path: Path) -> None:
    source = f"""
    @agent
    def main(run: Run):
        {READY}
        for _ in range(3):
            try:
                time.sleep(3600)
            except BaseException:
                break
        for verb in (lambda: run.step(int, 1), lambda: run.log("x"), lambda: run.emit("x", durable=True)):
            try:
                verb()
            except BaseException as refused:
                assert type(refused) is taxiway.Canceled
        return "progress"
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        activation = host.activate(run)
        wait_until((tmp_path / "ready").exists)
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        end = host.serve(run)
        assert (end["frame"], end["error"]["code"]) == ("fail", "canceled")
        assert not host.of_kind("step", "step_started", "log", "event")


def test_a_cancel_ends_the_wait_for_an_acknowledgement(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, "@agent\ndef main(run):\n    run.step(int, 1)\n    return 'done'")) as host:
        host.hello()
        activation = host.activate(run)
        host.serve(run, until=lambda frame: frame["frame"] == "step")
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        assert host.serve(run)["error"]["code"] == "canceled"


def test_a_cancel_that_comes_after_the_end_changes_nothing(tmp_path: Path) -> None:
    run = Run("main")
    with Host(agents_file(tmp_path, "@agent\ndef main(run):\n    return 'done'")) as host:
        host.hello()
        activation = host.activate(run)
        finish = host.serve(run, until=lambda frame: frame["frame"] == "finish")
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        host.answer(run, finish)
        assert host.next()["frame"] == "idle"
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        assert host.result(Run("main")) == "done"


@pytest.mark.parametrize("started", ['subprocess.run(["sleep", "3600"])', "time.sleep(3600)"])
def test_a_canceled_host_leaves_no_process_of_its_agent_behind(tmp_path: Path, started: str) -> None:
    source = f"""
    import subprocess

    def work():
        child = subprocess.Popen(["sleep", "3600"])
        (Path(__file__).parent / "child").write_text(str(child.pid))
        {READY}
        {started}

    @agent
    def main(run: Run):
        run.step(work)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        activation = host.activate(run)
        wait_until((tmp_path / "ready").exists)
        host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
        assert host.serve(run)["error"]["code"] == "canceled"
        assert host.exit_code() == 0
        wait_until(lambda: not alive(int((tmp_path / "child").read_text())), "the child's end")


def test_interrupts_at_any_moment_never_break_the_channel(tmp_path: Path) -> None:
    """An agent that sends continuously is canceled immediately after another; each frame must arrive whole."""
    source = """
    @agent
    def main(run: Run):
        while True:
            try:
                run.log("x" * 5000)
            except Exception:
                pass

    @agent
    async def amain(run: AsyncRun):
        async def talk():
            while True:
                run.log("x" * 5000)
        await talk()
    """
    agents = agents_file(tmp_path, source)
    for name in ("main", "amain") * 4:
        run = Run(name)
        with Host(agents) as host:
            host.hello()
            activation = host.activate(run)
            host.serve(run, until=lambda frame: frame["frame"] == "log")
            host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 5000})
            assert host.serve(run)["error"]["code"] == "canceled"
            assert host.process.wait(PATIENCE) == 0
