"""Leftovers of a run do not reach the next run: they are restored or ended, or the process serves no further run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from taxiway.host.confinement import SIGNALS_AND_TRACING

from tests.processes.host_driver import Host, Run, agents_file, alive, wait_until

SOURCE = """
import contextlib, ctypes, gc, io, locale, resource, signal, socket, subprocess

HERE = Path(__file__).parent
STARTED_AT_IMPORT = threading.Thread(target=threading.Event().wait, name="exporter", daemon=True)
STARTED_AT_IMPORT.start()
KEPT = subprocess.Popen(["sleep", "3600"])

def folder(): os.chdir("/")
def lost_folder():
    (HERE / "gone").mkdir()
    os.chdir(HERE / "gone")
    (HERE / "gone").rmdir()
def environment():
    os.environ["LEFT"] = "yes"
    del os.environ["HOME"]
    os.environ["TZ"] = "Asia/Kathmandu"
    time.tzset()
def umask(): os.umask(0o777)
def limit(): resource.setrlimit(resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def handlers():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    signal.alarm(3600)
def streams():
    sys.stdout = sys.stderr = io.StringIO()
    sys.stdin = None
def settings():
    socket.setdefaulttimeout(3)
    sys.setrecursionlimit(150)
    gc.disable()
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    sys.setprofile(lambda *_: None)

def closed(): sys.stdout.close()
def redirected(): os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
def lowered(): resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.nice(1)
def thread(): threading.Thread(target=threading.Event().wait, name="mine", daemon=True).start()
def hidden_thread():
    import _thread
    running = _thread.allocate_lock()
    running.acquire()
    _thread.start_new_thread(lambda: (running.release(), threading.Event().wait()), ())
    running.acquire()
def process(): mark(subprocess.Popen(["sleep", "3600"]).pid)
def deaf():
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark(os.getpid())
        time.sleep(3600)
    while not (HERE / "pid").exists(): time.sleep(0.01)
def daemonised():
    subprocess.run(["setsid", "-f", sys.executable, "-c", DAEMON, str(HERE)], check=True)
    while not (HERE / "pid").exists(): time.sleep(0.01)

def escaped():
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # the host is no reaper any more
    daemonised()
def chained():
    pid = os.fork()
    if not pid:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if os.fork(): os._exit(0)  # whoever has read its number finds another one there
            mark(os.getpid())
        os._exit(0)
    while not (HERE / "pid").exists(): time.sleep(0.01)

DAEMON = '''
import os, pathlib, sys, time
if os.fork(): os._exit(0)
file = pathlib.Path(sys.argv[1]) / "new"
file.write_text(str(os.getpid()))
file.rename(file.with_name("pid"))
time.sleep(3600)
'''

def mark(pid):
    (HERE / "new").write_text(str(pid))
    (HERE / "new").rename(HERE / "pid")

def ended_thread(): threading.Thread(target=time.sleep, args=(0.02,)).start()
def ended_process():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

@agent
def leave(run: Run, how: str):
    run.step(globals()[how])
    return os.getpid()

@agent
async def leave_async(run: AsyncRun, how: str):
    await run.step(globals()[how])
    return os.getpid()

@agent
def look(run: Run):
    here = os.umask(0o022)
    os.umask(here)
    print("a line", flush=True)
    return [
        os.getcwd(), dict(os.environ), time.strftime("%Z", time.localtime(0)), here,
        resource.getrlimit(resource.RLIMIT_NOFILE), str(signal.getsignal(signal.SIGTERM)),
        [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])], signal.getitimer(signal.ITIMER_REAL)[0],
        sys.stdout is sys.__stdout__, sys.stdin is not None, socket.getdefaulttimeout(), sys.getrecursionlimit(), gc.isenabled(),
        locale.setlocale(locale.LC_ALL), sys.getprofile() is None, KEPT.poll() is None, STARTED_AT_IMPORT.is_alive(),
    ]

@agent
async def in_threads(run: AsyncRun):
    await asyncio.gather(*(run.step(time.sleep, 0.001 * n) for n in range(5)), asyncio.to_thread(time.sleep, 0.001))

@agent
def slow(run: Run):
    process()
    while True: pass
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(agents_file(tmp_path, SOURCE)) as host:
        host.hello()
        yield host
        if (tmp_path / "pid").exists():  # no process may remain, even if a test failed
            assert not alive(int((tmp_path / "pid").read_text()))


def _serves_another(host: Host) -> bool:
    """Read to the host's `idle` or its end, and return whether it was `idle`."""
    before = host.of_kind("leaving")
    if before:
        host.ends()
        return False
    return bool(host.next()["frame"] == "idle")


def _left(host: Host) -> list[str]:
    [leaving] = host.of_kind("leaving")
    left: list[str] = leaving["left"]
    [told] = [frame["message"] for frame in host.of_kind("log")]
    assert all(what in told for what in left)
    return left


CHANGES = ["folder", "lost_folder", "environment", "umask", "limit", "streams", "settings"]


@pytest.mark.parametrize(
    ("agent", "how"),
    [("leave", "handlers"), *[(agent, how) for agent in ("leave", "leave_async") for how in CHANGES]],
)
def test_what_a_run_changed_in_its_process_is_restored(host: Host, agent: str, how: str) -> None:
    before = host.result(Run("look"))
    assert _serves_another(host)
    assert host.result(Run(agent, {"how": how})) == host.process.pid
    assert _serves_another(host)
    assert host.result(Run("look")) == before
    assert _serves_another(host)


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("closed", "the standard streams"),
        ("redirected", "the standard streams"),
        ("lowered", "the priority"),
        ("thread", "thread 'mine'"),
        ("hidden_thread", "thread"),
    ],
)
def test_what_cannot_be_restored_or_ended_ends_the_process_and_is_told(host: Host, how: str, what: str) -> None:
    host.result(Run("leave", {"how": how}))
    assert any(one.startswith(what) for one in _left(host))
    assert not _serves_another(host)
    assert host.exit_code() == 0


@pytest.mark.parametrize("how", ["process", "deaf", "daemonised"])
def test_processes_of_a_run_have_ended_when_its_end_is_sent(host: Host, tmp_path: Path, how: str) -> None:
    host.activate(Run("leave", {"how": how}))
    run = Run("leave", {"how": how})
    end = host.serve(run, lambda frame: frame["frame"] == "finish")
    assert not alive(int((tmp_path / "pid").read_text()))
    host.answer(run, end)
    assert any(str(one).startswith("process") for one in _left(host))
    assert not _serves_another(host)


def test_processes_that_escaped_from_their_host_end_with_their_run(host: Host, tmp_path: Path) -> None:
    if host.frames[0]["confined"] != SIGNALS_AND_TRACING:
        pytest.skip("this kernel has no scope for signals (Linux 6.12)")
    host.activate(Run("leave", {"how": "escaped"}))
    run = Run("leave", {"how": "escaped"})
    end = host.serve(run, lambda frame: frame["frame"] == "finish")
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not alive(pid), "its end")  # a process without this parent, so that the host cannot wait for it
    host.answer(run, end)
    assert _left(host) == ["the reaper of processes"]
    assert not _serves_another(host)


def test_processes_that_never_stand_still_end_with_their_run(host: Host, tmp_path: Path) -> None:
    host.activate(Run("leave", {"how": "chained"}))
    run = Run("leave", {"how": "chained"})
    end = host.serve(run, lambda frame: frame["frame"] == "finish")
    last = (tmp_path / "pid").read_text()
    host.answer(run, end)
    assert any(one.startswith("process") for one in _left(host))
    assert not _serves_another(host)
    assert (tmp_path / "pid").read_text() == last, "there is no next one"


@pytest.mark.parametrize("how", ["ended_thread", "ended_process"])
def test_threads_and_processes_that_end_by_themselves_are_no_reason_to_leave(host: Host, how: str) -> None:
    for _ in range(2):
        assert host.result(Run("leave", {"how": how})) == host.process.pid
        assert _serves_another(host)


def test_the_event_loop_s_own_idle_threads_are_no_reason_to_leave(host: Host) -> None:
    for _ in range(3):
        host.result(Run("in_threads"))
        assert _serves_another(host)


def test_a_canceled_run_takes_its_processes_along(host: Host, tmp_path: Path) -> None:
    run = Run("slow")
    activation = host.activate(run)
    wait_until((tmp_path / "pid").exists, "the process")
    host.channel.send({"frame": "cancel", "activation": activation, "kind": "cancel", "graceMs": 1000})
    end = host.serve(run, lambda frame: frame["frame"] == "fail")
    assert not alive(int((tmp_path / "pid").read_text()))
    host.answer(run, end)
    assert not _serves_another(host)


def test_a_host_that_dies_takes_detached_processes_along(tmp_path: Path) -> None:
    source = SOURCE + "\n@agent\ndef hangs(run):\n    daemonised()\n    time.sleep(3600)\n"
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.activate(Run("hangs"))
        wait_until((tmp_path / "pid").exists, "the process")
        host.channel.close()
        host.exit_code()
        wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), "its end")


def test_a_line_that_is_not_finished_is_of_its_own_run_also_behind_a_replaced_stream(tmp_path: Path) -> None:
    source = """
    import io
    @agent
    def main(run: Run):
        sys.stdout.write("unfinished")
        sys.stdout = io.StringIO()
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        run = Run("main")
        host.activate(run)
        host.serve(run, lambda frame: frame["frame"] == "finish")
        wait_until(lambda: host.stdout() == "unfinished", "the line")
