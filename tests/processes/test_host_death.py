"""A real host ends with its worker, whatever its agents are doing, and ends their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.processes.host_driver import PATIENCE, Host, Run, agents_file, alive, wait_until

WITH_A_CHILD = """
    import subprocess

    @agent
    def main(run: Run):
        child = subprocess.Popen(["sleep", "3600"])
        path = Path(__file__).parent / "child"
        path.with_suffix(".new").write_text(str(child.pid))
        path.with_suffix(".new").rename(path)
        while True: pass
"""


def child_of(tmp_path: Path) -> int:
    """Return the id of the process that the agent started, once it exists."""
    child = tmp_path / "child"
    wait_until(lambda: child.exists() and child.read_text() != "")
    return int(child.read_text())


def test_a_host_whose_channel_closes_dies_with_its_children(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, WITH_A_CHILD)) as host:
        host.hello()
        host.activate(Run("main"))
        child = child_of(tmp_path)
        host.channel.close()
        assert host.exit_code() == -signal.SIGKILL
        wait_until(lambda: not alive(child), "the child's end")
        assert "closed the channel" in host.stderr()


def test_a_host_dies_when_its_worker_has_not_called_itself_valid_for_a_lease(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, WITH_A_CHILD), lease_ms=1000) as host:
        host.hello()
        host.activate(Run("main"))
        child = child_of(tmp_path)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            host.channel.send({"frame": "valid"})
            time.sleep(0.1)  # the interval of a worker
        assert host.process.poll() is None
        last_word = time.monotonic()
        assert host.exit_code() == -signal.SIGKILL
        assert 0.7 < time.monotonic() - last_word < 10
        wait_until(lambda: not alive(child), "the child's end")
        assert "valid" in host.stderr()


STANDS_FOR_A_WORKER = """
import sys, time
from pathlib import Path
from tests.processes.host_driver import Host, Run
host = Host(sys.argv[1])
host.hello()
host.activate(Run("main"))
print(host.process.pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
@pytest.mark.parametrize("holding", [False, True], ids=["free", "holding the interpreter"])
def test_a_host_dies_when_its_worker_is_killed(tmp_path: Path, holding: bool) -> None:
    hold = """
    import ctypes

    @agent
    def main(run: Run):
        (Path(__file__).parent / "child").write_text("0")
        ctypes.PyDLL(None).sleep(3600)
    """
    agents = agents_file(tmp_path, hold if holding else WITH_A_CHILD)
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STANDS_FOR_A_WORKER), str(agents)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert worker.stdout is not None
    host = int(worker.stdout.readline())
    child = child_of(tmp_path)
    worker.kill()
    worker.wait(PATIENCE)
    worker.stdout.close()
    wait_until(lambda: not alive(host), "the host's end")
    wait_until(lambda: not child or not alive(child), "the child's end")


def test_a_host_started_by_somebody_else_than_it_was_told_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-m", "taxiway.host", "--fd", "0", "--lease-ms", "1000", "--parent", "1"]
    ended = subprocess.run([*command, "--agents", "x.py"], capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert b"the worker is gone" in ended.stderr


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x04\xff\xfe\xfd\xfc",
        b'\x00\x00\x00\x0f{"frame":"what"}'.replace(b"\x0f", b"\x10"),
        b'\x00\x00\x00\x14{"frame":"activate"}',
    ],
)
def test_a_host_that_is_told_nonsense_dies_and_says_why(tmp_path: Path, garbage: bytes) -> None:
    with Host(agents_file(tmp_path, "@agent\ndef main(run): ...")) as host:
        host.hello()
        os.write(host.channel.fileno(), garbage)
        assert host.exit_code() == -signal.SIGKILL
        assert "the worker sent" in host.stderr()


def test_frames_of_an_activation_that_is_over_are_ignored(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, "@agent\ndef main(run): return run.activation")) as host:
        host.hello()
        run = Run("main")
        host.result(run)
        host.next()
        host.channel.send({"frame": "ack", "activation": "run-1.1", "n": 1})
        host.channel.send({"frame": "ack", "activation": "run-1.7", "n": 1})
        host.channel.send({"frame": "recalled", "activation": "run-1.1", "key": "x", "value": "1"})
        assert host.result(run) == 2


def test_stop_ends_an_idle_host_at_once_and_a_busy_one_afterwards(tmp_path: Path) -> None:
    source = """
    import atexit
    atexit.register(print, "good", "bye")

    @agent
    def main(run: Run):
        threading.Thread(target=time.sleep, args=(3600,)).start()
        time.sleep(0.1)
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.channel.send({"frame": "stop"})
        assert host.exit_code() == 0
        assert host.stdout() == "good bye\n"
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.activate(Run("main"))
        host.channel.send({"frame": "stop"})
        assert host.serve(Run("main"))["frame"] == "finish"
        assert host.exit_code() == 0, "an agent's own thread does not keep the host"


def test_what_agents_print_comes_out_at_once_and_whole(tmp_path: Path) -> None:
    source = """
    @agent
    def main(run: Run):
        print("on stdout \\udc80 ü")
        print("on stderr", file=sys.stderr)
        time.sleep(3600)
    """
    with Host(agents_file(tmp_path, source), env={"LC_ALL": "C", "PATH": os.environ["PATH"]}) as host:
        host.hello()
        host.activate(Run("main"))
        wait_until(lambda: host.stdout() == "on stdout \\udc80 ü\n")
        wait_until(lambda: host.stderr() == "on stderr\n")


def test_the_channel_is_not_inherited_by_what_a_step_starts(tmp_path: Path) -> None:
    source = """
    import subprocess

    @agent
    def main(run: Run):
        return subprocess.run(["ls", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout.split()
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        # 0, 1 and 2, and the descriptor with which ls reads the list.
        assert len(host.result(Run("main"))) == 4
