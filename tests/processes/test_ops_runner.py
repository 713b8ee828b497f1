"""The runner tells how its children end, ends them all, and lets one stack at a time have a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.child import Child, Command
from ops.console import LogFollower, console
from ops.embedded.keeper import alive
from ops.stack import (
    AlreadyRunning,
    ChildEnded,
    Halt,
    Halted,
    NotReady,
    SetupFailed,
    Stack,
    StackError,
    StackOptions,
    upfile,
)
from ops.stack.changes import Changes, folders
from ops.stack.ending import end
from ops.stack.lock import BaseLock
from ops.stack.ports import choose_port
from ops.stack.secrets import lasting_secret
from ops.stack.setup import run_to_end
from ops.stack.supervision import Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
LEISURELY = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit()))\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)\n"
)
IGNORANT = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print('ready', child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


def eventually(happened: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Ended, also when nobody collects it (some containers have no reaper)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return not alive(pid)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Give a function that starts a Python program as a child and waits for its word."""
    started: list[Child] = []

    def start(program: str, name: str = "worker-1", *, word: str = "ready") -> Child:
        child = Child(Command(name, [sys.executable, "-c", program], tmp_path / "logs" / f"{name}.log"))
        started.append(child)
        if word:
            eventually(lambda: word in child.last_words() or not child.running, f"{name} says {word}")
        return child

    yield start
    for child in started:
        child.kill()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that was not started: only its fleet is used."""
    stack = Stack(StackOptions(base=tmp_path, agents=str(tmp_path / "agents.py")))
    stack.fleet.env = {**os.environ, "FLOWER_BASIC_AUTH": "taxiway:nothing"}
    yield stack
    end(list(stack.fleet.children.values()), 0, Halt())


def launch(stack: Stack, name: str, program: str) -> Child:
    return stack.fleet.launch(stack.fleet.command(name, [sys.executable, "-c", program]))


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


def test_a_child_that_ignores_sigterm_is_killed_with_its_group(start: Callable[..., Child]) -> None:
    child = start(STUBBORN)
    grandchild = int(child.last_words().split()[-1])
    end([child], 0.2, Halt())
    assert not child.running
    eventually(lambda: gone(grandchild), "the group is gone")


def test_a_hastened_halt_does_not_wait_for_the_patience(start: Callable[..., Child]) -> None:
    child, halt = start(STUBBORN), Halt()
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
    assert child.last_words() == "got a secret"
    assert not any("secret" in word for word in child.command.launch_argv())


def test_a_second_stack_on_the_same_folder_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    first, second = BaseLock(tmp_path), BaseLock(tmp_path)
    first.acquire()
    upfile.write(tmp_path, {"TAXIWAY_URL": "http://127.0.0.1:8123"})
    with pytest.raises(
        AlreadyRunning, match=rf"already running here at http://127.0.0.1:8123 \(process {os.getpid()}\)"
    ):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_lock_of_a_killed_runner_is_free(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ops.stack.lock import BaseLock\n"
        f"lock = BaseLock(Path({str(tmp_path)!r})); lock.acquire(); print('held', flush=True); sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning):
            BaseLock(tmp_path).acquire()
        runner.kill()
    lock = BaseLock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_failed_command_of_the_setup_shows_its_words_and_keeps_its_output_out_of_the_logs(stack: Stack) -> None:
    command = stack.fleet.command("keys", [sys.executable, "-c", "print('tw_secret'); raise SystemExit('no tables')"])
    with pytest.raises(SetupFailed, match="no tables"):
        run_to_end("Creating an API key", command, stack.look)
    assert "tw_secret" not in command.log.read_text()


def test_the_upfile_is_private_can_be_sourced_and_read_back(tmp_path: Path) -> None:
    values = {
        "TAXIWAY_URL": "http://127.0.0.1:8000",
        "TAXIWAY_DATABASE_URL": "postgresql://u@/db?host=/a/b&x=$HOME 'q'",
        "TAXIWAY_PIDS_WORKER": "1,2",
    }
    upfile.write(tmp_path, values)
    assert (tmp_path / "up.env").stat().st_mode & 0o777 == 0o600
    assert upfile.read(tmp_path) == values
    script = f". {tmp_path}/up.env; printf '%s\\n' " + " ".join(f'"${name}"' for name in values)
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout == "".join(
        f"{value}\n" for value in values.values()
    )


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = lasting_secret(tmp_path / "secret.key")
    assert len(first) >= 32
    assert lasting_secret(tmp_path / "secret.key") == first
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_port_that_somebody_asked_for_must_be_free(start: Callable[..., Child]) -> None:
    server = (
        "import socket\n"
        "taken = socket.create_server(('127.0.0.1', 0))\n"
        "print('ready', taken.getsockname()[1], flush=True)\n"
        "taken.accept()\n"
    )
    port = int(start(server).last_words().split()[-1])
    with pytest.raises(StackError, match=f"Port {port} is taken"):
        choose_port(port)


def test_numbers_in_the_environment_are_checked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_WORKERS", "3")
    assert StackOptions.from_environment().workers == 3
    monkeypatch.setenv("TAXIWAY_SLOTS", "many")
    with pytest.raises(StackError, match="TAXIWAY_SLOTS is 'many'"):
        StackOptions.from_environment()


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
    assert "started again in 1 s" in said[0]
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
        eventually(lambda worker=worker: "ready" in worker.last_words(), "the old workers run")  # type: ignore[misc]
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
