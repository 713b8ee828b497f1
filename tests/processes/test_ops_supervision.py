"""An ended process is started again, a changed one is replaced, and the terminal stays calm."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.console import LogFollower, console
from ops.stack import (
    Halt,
    Stack,
    StackOptions,
    upfile,
)
from ops.stack.file_changes import Changes, folders
from ops.stack.shutdown import end
from ops.stack.supervision import Supervisor
from tests.processes.ops_children import LEISURELY, SLEEPER, eventually, launch


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Return a stack that was not started: only its fleet is used."""
    stack = Stack(StackOptions(base=tmp_path, agents=str(tmp_path / "agents.py")))
    stack.fleet.env = {**os.environ, "FLOWER_BASIC_AUTH": "taxiway:nothing"}
    yield stack
    end(list(stack.fleet.children.values()), 0, Halt())


def test_changes_are_noticed_once_in_agent_files_and_the_modules_beside_them(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("one = 1\n")
    assert folders("agents.py, pack.mod", tmp_path) == sorted({tmp_path, tmp_path / "pack"})
    changes = Changes([tmp_path])
    assert not changes.happened()
    (tmp_path / "beside.py").write_text("two = 2\n")
    assert changes.happened()
    assert not changes.happened()
    os.utime(tmp_path / "agents.py", ns=(1, 1))
    assert changes.happened()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.py").touch()
    (tmp_path / "notes.txt").touch()
    assert not changes.happened()
    (tmp_path / "beside.py").unlink()
    assert changes.happened()


def test_a_child_that_ends_is_started_again_under_its_name(stack: Stack) -> None:
    said: list[str] = []
    first = launch(stack, "scheduler-1", SLEEPER)
    supervisor = Supervisor(stack, said.append)
    first.send(signal.SIGKILL)
    assert first.wait(10)

    def again() -> bool:
        supervisor.step()
        return stack.schedulers[0] is not first

    eventually(again, "the scheduler is started again")
    assert stack.schedulers[0].running
    assert "scheduler-1 was killed by signal 9" in said[0]
    assert "restarts in 1 s" in said[0]
    assert str(stack.schedulers[0].pid) == upfile.read(stack.options.base)["TAXIWAY_PIDS_SCHEDULER"]


def test_a_child_that_never_stays_up_is_started_less_and_less_often(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.stack.supervision.FIRST_WAIT", 0.1)
    said: list[str] = []
    launch(stack, "worker-1", "raise SystemExit('broken')")
    supervisor = Supervisor(stack, said.append)

    def three_ends() -> bool:
        supervisor.step()
        return len(said) == 3

    eventually(three_ends, "three ends are reported")
    waits = [supervisor.waits["worker-1"]]
    assert waits == [pytest.approx(0.4)]


def test_changed_agents_replace_the_workers_one_after_the_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ops.stack.supervision.LOOK_EVERY", 0.0)
    old = [launch(stack, f"worker-{number}", LEISURELY) for number in (1, 2)]
    for worker in old:
        eventually(lambda worker=worker: "ready" in worker.last_lines(), "the old workers run")  # type: ignore[misc]
    scheduler = launch(stack, "scheduler-1", SLEEPER)
    supervisor = Supervisor(stack, lambda _: None)
    (tmp_path / "agents.py").write_text("changed = True\n")
    seen: set[tuple[int, int]] = set()

    def replaced() -> bool:
        supervisor.step()
        left = [worker for worker in stack.workers if worker in old]
        seen.add((len(left), sum(worker.running for worker in stack.workers)))
        return not left

    eventually(replaced, "both workers are new")
    assert (1, 2) in seen, "the first one is new while the second one still works"
    assert all(running >= 1 for _, running in seen)
    assert stack.schedulers == [scheduler]


def test_the_terminal_shows_warnings_and_worse_or_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "worker-1.log"
    log.write_text("old [error    ] long ago\n")

    def shown(*, verbose: bool) -> str:
        follower = LogFollower(tmp_path, verbose=verbose)
        follower.skip()
        with log.open("a") as file:
            file.write("12:00 [info     ] run.claimed\n12:01 [warning  ] broker.away\nhalf a li")
        with console.capture() as captured:
            follower.step()
        return captured.get()

    calm = shown(verbose=False)
    assert "broker.away" in calm
    assert "worker-1" in calm
    assert "run.claimed" not in calm
    assert "long ago" not in calm
    assert "run.claimed" in shown(verbose=True)
