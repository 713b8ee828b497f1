"""The runner reports how its children end, and ends them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.child import Child, Command
from ops.stack import (
    ChildEnded,
    Halt,
    Halted,
    NotReady,
    SetupFailed,
    Stack,
    StackOptions,
)
from ops.stack.setup import run_to_end
from ops.stack.shutdown import end
from tests.processes.ops_children import IGNORANT, ROOT, SLEEPER, STUBBORN, eventually, gone, launch, start


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Return a stack that was not started: only its fleet is used."""
    stack = Stack(StackOptions(base=tmp_path, agents=str(tmp_path / "agents.py")))
    stack.fleet.env = {**os.environ, "FLOWER_BASIC_AUTH": "taxiway:nothing"}
    yield stack
    end(list(stack.fleet.children.values()), 0, Halt())


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words_and_its_log(stack: Stack) -> None:
    child = launch(stack, "worker-1", "print('one thing'); raise SystemExit('no such agent')")
    assert child.wait(10)
    with pytest.raises(ChildEnded) as error:
        stack.look()
    assert "worker-1 ended with status 1" in str(error.value)
    assert "no such agent" in str(error.value)
    assert str(stack.logs / "worker-1.log") in str(error.value)


def test_a_killed_child_is_reported_with_the_signal(stack: Stack) -> None:
    child = launch(stack, "scheduler-1", SLEEPER)
    child.send(signal.SIGKILL)
    assert child.wait(10)
    with pytest.raises(ChildEnded, match="scheduler-1 was killed by signal 9"):
        stack.look()


def test_a_program_that_does_not_exist_is_reported_by_name(stack: Stack) -> None:
    child = stack.fleet.launch(stack.fleet.command("api", ["no-such-program"]))
    assert child.wait(10)
    with pytest.raises(ChildEnded, match="cannot run no-such-program"):
        stack.look()


def test_waiting_for_a_fact_ends_with_the_child_whose_work_it_would_be(stack: Stack) -> None:
    launch(stack, "api", "raise SystemExit(3)")
    with pytest.raises(ChildEnded, match="api ended with status 3"):
        stack.wait_until("the API was ready", lambda: False, seconds=30)


def test_waiting_in_vain_names_the_fact_and_the_logs(stack: Stack) -> None:
    with pytest.raises(NotReady, match=r"in vain until the moon rose\. The logs are in .*logs"):
        stack.wait_until("the moon rose", lambda: False, seconds=0.1)


def test_a_halt_interrupts_waiting(stack: Stack) -> None:
    threading.Timer(0.1, stack.halt.ask).start()
    with pytest.raises(Halted):
        stack.wait_until("the moon rose", lambda: False, seconds=30)


def test_a_child_that_ignores_sigterm_is_killed_with_its_group(tmp_path: Path) -> None:
    child = start(STUBBORN, tmp_path / "worker.log")
    grandchild = int(child.last_lines().split()[-1])
    end([child], 0.2, Halt())
    assert not child.running
    eventually(lambda: gone(grandchild), "the group is gone")


def test_a_hastened_halt_does_not_wait_for_the_patience(tmp_path: Path) -> None:
    child, halt = start(STUBBORN, tmp_path / "worker.log"), Halt()
    halt.ask()
    halt.ask()
    began = time.monotonic()
    end([child], 60, halt)
    assert not child.running
    assert time.monotonic() - began < 10


def test_children_die_with_the_runner(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ops.child import Child, Command\n"
        f"child = Child(Command('worker-1', [sys.executable, '-c', {IGNORANT!r}], Path({str(tmp_path / 'w.log')!r})))\n"
        "print(child.pid, flush=True); sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        child = int(runner.stdout.readline())
        eventually(lambda: (tmp_path / "w.log").read_text().startswith("ready"), "the child runs")
        runner.kill()
    eventually(lambda: gone(child), "the child is gone")


def test_what_a_child_reads_at_its_start_is_not_among_its_arguments(tmp_path: Path) -> None:
    program = "import sys; print('got', sys.stdin.read(), flush=True)"
    child = Child(Command("reader", [sys.executable, "-c", program], tmp_path / "r.log", stdin=b"a secret"))
    assert child.wait(10)
    assert child.last_lines() == "got a secret"
    assert not any("secret" in word for word in child.command.launch_argv())


def test_a_failed_command_of_the_setup_shows_its_words_and_keeps_its_output_out_of_the_logs(stack: Stack) -> None:
    command = stack.fleet.command("keys", [sys.executable, "-c", "print('tw_secret'); raise SystemExit('no tables')"])
    with pytest.raises(SetupFailed, match="no tables"):
        run_to_end("Creating an API key", command, stack.look)
    assert "tw_secret" not in command.log.read_text()
