"""A child process that a step forks is not part of the run: the parent's value counts, the child ends with its own status."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

SOURCE = """
def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def exits(status):
    pid = os.fork()
    return status_of(pid) if pid else sys.exit(status)

def returns(_):
    pid = os.fork()
    return status_of(pid) if pid else "child"

def raises(_):
    pid = os.fork()
    if pid:
        return status_of(pid)
    raise ValueError("of the child")

def swallows(_):
    pid = os.fork()
    if pid:
        return status_of(pid)
    try:
        taxiway.emit("from_child")
    except RuntimeError as refusal:
        print(refusal, flush=True)
    os._exit(9)

def forked_by_c(_):
    import ctypes
    pid = ctypes.PyDLL(None).fork()
    if pid:
        return status_of(pid)
    try:
        taxiway.emit("from_child")
    except RuntimeError:
        return "child"
    os._exit(9)

def forks_twice(_):
    pid = os.fork()
    if pid:
        return status_of(pid)
    inner = os.fork()
    if not inner:
        os._exit(0)
    os._exit(status_of(inner))

HOW = {
    "exits": exits, "returns": returns, "raises": raises, "swallows": swallows, "forked_by_c": forked_by_c,
    "forks_twice": forks_twice,
}

@agent
def plain(run: Run, how: str, status: int | str = 0):
    return [run.step(HOW[how], status), os.getpid()]

@agent
async def awaited(run: AsyncRun, how: str, status: int | str = 0):
    async def inside(status):
        return HOW[how](status)
    return [await run.step(HOW[how], status), await run.step(inside, status)]

@agent
def forks(run: Run):
    pid = os.fork()
    if pid:
        return [status_of(pid), run.step(os.getpid) == os.getpid()]
    try:
        run.step(os.getpid)
    except RuntimeError as refusal:
        print(refusal, flush=True)
    return "child"

def half_a_line():
    sys.stdout.write("half")
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    sys.stdout.write(" and half\\n")

@agent
def prints(run: Run):
    run.step(half_a_line)

def square(n):
    return n * n

def in_processes():
    import multiprocessing, subprocess
    with multiprocessing.get_context("fork").Pool(2) as pool:
        squares = pool.map(square, range(4))
    return [squares, subprocess.run(["echo", "out"], capture_output=True, preexec_fn=lambda: None).stdout.decode()]

@agent
def usual(run: Run):
    return run.step(in_processes)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(agents_file(tmp_path_factory.mktemp("forks"), SOURCE)) as host:
        host.hello()
        yield host


def _result(host: Host, run: Run) -> object:
    result = host.result(run)
    assert host.next()["frame"] == "idle"
    return result


@pytest.mark.parametrize(
    ("how", "status", "ends_with"),
    [
        ("exits", 0, 0),
        ("exits", 3, 3),
        ("exits", "a sentence", 1),
        ("returns", 0, 0),
        ("raises", 0, 1),
        ("swallows", 0, 9),
        ("forked_by_c", 0, 0),
    ],
)
def test_a_forked_child_of_a_step_ends_with_its_own_status_and_the_parent_goes_on(
    host: Host, how: str, status: object, ends_with: int
) -> None:
    frames = len(host.frames)
    status_seen, pid = _result(host, Run("plain", {"how": how, "status": status}))
    assert (status_seen, pid) == (ends_with, host.process.pid)
    assert [frame["frame"] for frame in host.frames[frames:]] == ["step_started", "step", "finish", "idle"]
    assert _result(host, Run("awaited", {"how": how, "status": status})) == [ends_with, ends_with]


def test_a_forked_child_of_the_agent_itself_may_not_use_the_run(host: Host) -> None:
    assert _result(host, Run("forks")) == [0, True]


def test_processes_of_multiprocessing_and_subprocess_work_as_usual(host: Host) -> None:
    assert _result(host, Run("usual")) == [[0, 1, 4, 9], "out\n"]


def test_a_child_is_told_why_it_may_not_speak_and_prints_no_line_of_its_parent(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, SOURCE)) as host:
        host.hello()
        for run in (Run("plain", {"how": "swallows"}), Run("forks"), Run("prints")):
            _result(host, run)
        host.channel.send({"frame": "stop"})
        host.exit_code()
        first, second, whole = host.stdout().splitlines()
    assert first.startswith("taxiway.emit() was called in a forked child process; only the process of the run")
    assert second.startswith("run.step was called in a forked child process")
    assert whole == "half and half"


def test_a_child_that_forks_in_its_turn_says_nothing_of_it(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, SOURCE)) as host:
        host.hello()
        assert _result(host, Run("plain", {"how": "forks_twice"}))[0] == 0
        host.channel.send({"frame": "stop"})
        host.exit_code()
        assert host.stderr() == ""


HELD = """
import gc, multiprocessing, pty, subprocess
SEEN = []

def held():
    "What speaks for a run, in this process."
    links = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")]
    keys = [one._key for one in gc.get_objects() if type(one).__name__ in ("Service", "Activation")]
    return [link for link in links if link.startswith("socket:")] + [str(key) for key in keys if key]

os.register_at_fork(after_in_child=lambda: SEEN.extend(held()))

def tell():
    (Path(__file__).parent / "told").write_text(str(SEEN + held()))
    os._exit(0)

def told():
    file = Path(__file__).parent / "told"
    text = file.read_text()
    file.unlink()
    return text

def by(fork):
    child = fork()
    pid = child[0] if isinstance(child, tuple) else child
    if not pid:
        tell()
    os.waitpid(pid, 0)
    return told()

def by_multiprocessing():
    process = multiprocessing.get_context("fork").Process(target=tell)
    process.start()
    process.join()
    return told()

def before_exec():
    subprocess.run(["true"], preexec_fn=tell)
    return told()

AT_IMPORT = by(os.fork)
if os.fork() == 0:
    sys.exit(6)
EXITED = os.waitstatus_to_exitcode(os.wait()[1])

@agent
def main(run: Run):
    ways = [by(os.fork), by(os.forkpty), by(pty.fork), by_multiprocessing(), before_exec()]
    return [len(held()), AT_IMPORT, EXITED, *ways]
"""


def test_no_child_has_the_channel_or_the_key_however_and_whenever_it_was_forked(tmp_path: Path) -> None:
    key, written = os.pipe()
    os.write(written, b"k" * 32)
    os.close(written)
    with Host(agents_file(tmp_path, HELD), more=("--key-fd", str(key)), pass_fds=(key,)) as host:
        os.close(key)
        assert host.hello()["frame"] == "hello"
        held, at_import, exited, *ways = host.result(Run("main"))
        assert held == 3, "the host itself has them"
        assert (at_import, exited, ways) == ("[]", 6, ["[]"] * 5)
