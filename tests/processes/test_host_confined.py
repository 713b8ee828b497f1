"""A host can signal, trace and read only what it started, and no other process of its account; the worker can still end it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from taxiway.host.confinement import SIGNALS_AND_TRACING

from tests.processes.host_driver import PATIENCE, Host, Run, agents_file, alive, wait_until
from tests.processes.other_accounts import FIRST, needs_root

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Landlock")

SOURCE = """
import ctypes, signal, subprocess

libc = ctypes.CDLL(None, use_errno=True)
TRACEME, CONTINUE, KILL, DETACH, SEIZE, PIDFD_OPEN, PIDFD_GETFD = 0, 7, 8, 17, 0x4206, 434, 438

def ptrace(request, pid):
    if libc.ptrace(request, pid, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")

def take_descriptor(pid):
    pidfd = os.pidfd_open(pid)
    got = libc.syscall(PIDFD_GETFD, pidfd, 0, 0)
    os.close(pidfd)
    if got < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    os.close(got)

def may(deed, *args):
    try:
        deed(*args)
    except PermissionError:
        return False
    return True

def deeds(pid):
    proc = Path(f"/proc/{pid}")
    traced = may(ptrace, SEIZE, pid)
    if traced:
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, 0)
        ptrace(DETACH, pid)
    return {
        "signal": may(os.kill, pid, signal.SIGCONT), "trace": traced, "take a descriptor": may(take_descriptor, pid),
        **{name: may((proc / name).open, "rb") for name in ("mem", "environ", "maps")},
        **{name: may(os.readlink, proc / name) for name in ("fd/0", "cwd")},
    }

@agent
def others(run: Run, pids: list[int]):
    return [deeds(pid) for pid in pids]

@agent
def own(run: Run):
    child = subprocess.Popen(["sleep", "3600"])
    seen = deeds(child.pid)
    child.kill()
    return [seen, child.wait()]

@agent
def debugs(run: Run):
    pid = os.fork()
    if not pid:
        ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    stopped = os.WIFSTOPPED(status)
    ptrace(CONTINUE, pid)
    return [stopped, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

@agent
def rights(run: Run):
    "Return the capabilities of this process, and those of a program that it starts."
    told = [Path("/proc/self/status").read_text(), subprocess.check_output(["cat", "/proc/self/status"], text=True)]
    return [{line[3:6]: int(line[8:], 16) for line in one.splitlines() if line.startswith("Cap")} for one in told]

@agent
def becomes(run: Run, uid: int):
    return int(subprocess.check_output(["id", "-u"], user=uid, text=True))

@agent
def listens(run: Run):
    import socket
    return may(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)

@agent
def hangs(run: Run):
    child = subprocess.Popen(["setsid", "sleep", "3600"])
    (Path(__file__).parent / "new").write_text(str(child.pid))
    (Path(__file__).parent / "new").rename(Path(__file__).parent / "pid")
    while True: pass
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Return two hosts of the same account."""
    agents = agents_file(tmp_path, SOURCE)
    with Host(agents) as one, Host(agents) as other:
        if one.hello()["confined"] != SIGNALS_AND_TRACING:
            pytest.skip("this kernel has no scope for signals (Linux 6.12)")
        assert other.hello()["confined"] == SIGNALS_AND_TRACING
        yield one, other


def test_a_host_can_do_nothing_to_its_worker_another_host_and_any_process_of_its_account(
    hosts: tuple[Host, Host],
) -> None:
    one, other = hosts
    with subprocess.Popen(["sleep", "3600"]) as bystander:
        victims = [os.getpid(), other.process.pid, bystander.pid]
        seen = one.result(Run("others", {"pids": victims}))
        bystander.kill()
    assert [[deed for deed, may in deeds.items() if may] for deeds in seen] == [[], [], []]


def test_a_host_signals_traces_and_waits_for_what_it_started(hosts: tuple[Host, Host]) -> None:
    one, _ = hosts
    deeds, status = one.result(Run("own"))
    assert all(deeds.values()), deeds
    assert status == -9
    one.next()
    assert one.result(Run("debugs")) == [True, 7]


@pytest.mark.parametrize("end", ["the channel closes", "the worker's word ends"])
def test_a_confined_host_still_ends_itself_and_what_it_started(tmp_path: Path, end: str) -> None:
    closes = end == "the channel closes"
    with Host(agents_file(tmp_path, SOURCE), lease_ms=60_000 if closes else 500) as host:
        assert host.hello()["confined"]
        host.activate(Run("hangs"))
        wait_until((tmp_path / "pid").exists, "the process")
        if closes:
            host.channel.close()
        assert host.exit_code() == -9
        wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), "the end of its process")


def test_a_host_that_is_to_be_free_is_not_confined(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, SOURCE), more=("--unconfined",)) as host, subprocess.Popen(["sleep", "9"]) as other:
        assert host.hello()["confined"] is None
        [deeds] = host.result(Run("others", {"pids": [other.pid]}))
        other.kill()
        assert deeds["signal"]
        assert deeds["environ"]


KEPT = 0x0_A004_05FB
"""CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, AUDIT_WRITE, SETFCAP."""


@needs_root
def test_a_host_of_root_keeps_few_capabilities_and_its_programs_regain_none(hosts: tuple[Host, Host]) -> None:
    one, _ = hosts
    own, of_program = one.result(Run("rights"))
    assert {name: had & ~KEPT for name, had in own.items()} == dict.fromkeys(own, 0)
    assert {name: had & ~KEPT for name, had in of_program.items()} == dict.fromkeys(own, 0)
    one.next()
    assert one.result(Run("becomes", {"uid": FIRST})) == FIRST, "what runs as another account still may"
    one.next()
    assert one.result(Run("listens")) is False, "the traffic of the machine is not a host's"


@needs_root
def test_a_worker_that_cannot_bound_capabilities_has_programs_of_hosts_regain_none() -> None:
    said = _alone("""
        import subprocess
        from taxiway.host import capabilities
        libc = ctypes.CDLL(None)
        capabilities._PR_CAPBSET_DROP = 1 << 20  # as without SETPCAP: the kernel refuses
        capabilities.drop_capabilities()
        told = subprocess.check_output(["cat", "/proc/self/status"], text=True)
        print(*(line.split()[1] for line in told.splitlines() if line.startswith(("CapPrm", "CapEff", "NoNewPrivs"))))
    """)
    assert [int(one, 16) & ~KEPT for one in said[:2]] == [0, 0]
    assert said[2] == "1"


def _alone(source: str) -> list[str]:
    """Return the output of a separate process that can import the module."""
    head = "import ctypes, os, sys\nfrom pathlib import Path\nfrom taxiway.host import confinement\n"
    command = [sys.executable, "-c", head + textwrap.dedent(source)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert not ended.returncode, ended.stderr
    return ended.stdout.split()


@needs_root
def test_an_account_gains_nothing_by_setuid_programs_also_where_there_is_no_landlock() -> None:
    said = _alone("""
        from taxiway.host import capabilities
        os.setgid(65534); os.setuid(65534)
        capabilities.drop_capabilities()
        print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))
    """)
    assert said == ["1"]


def test_an_older_kernel_s_domain_refuses_tracing_and_moves_files_as_before(tmp_path: Path) -> None:
    said = _alone(f"""
        confinement._SCOPES_SINCE = 1 << 20
        print(confinement.confine() or "nothing")
        try: os.readlink(f"/proc/{{os.getppid()}}/fd/0"); print("read")
        except PermissionError: print("refused")
        os.kill(os.getppid(), 0)
        here = Path({str(tmp_path)!r})
        (here / "one").mkdir(); (here / "two").mkdir(); (here / "one" / "file").touch()
        (here / "one" / "file").rename(here / "two" / "file")
        os.link(here / "two" / "file", here / "one" / "link")
    """)
    if said == ["nothing", "read"]:
        pytest.skip("this kernel's Landlock cannot confine")
    assert said == ["tracing", "refused"]


def test_a_kernel_without_landlock_confines_nothing_and_is_no_error() -> None:
    assert _alone("confinement._CREATE_RULESET = 100_000; print(confinement.confine())") == ["None"]


def test_an_account_without_rights_is_confined_at_the_price_of_setuid_programs() -> None:
    [confined, new_privileges] = _alone("""
        if os.getuid() == 0: os.setgid(65534); os.setuid(65534)
        print((confinement.confine() or "nothing").replace(" ", "-"), ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))
    """)
    if confined == "nothing":
        pytest.skip("this kernel's Landlock cannot confine")
    assert new_privileges == "1"
