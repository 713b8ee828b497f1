"""Each host has its own account, which no other worker of the machine uses and in which no later host finds anything."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from executor.errors import CannotServe
from executor.hosts import Host, HostPool, accounts
from executor.hosts.sweeping import WRITABLE, processes_of
from tests.conftest import ROOT
from tests.processes.carrying import activate, pools_in, until
from tests.processes.fleet import pid_is_gone
from tests.processes.other_accounts import FIRST, interpreter_in, needs_root, open_folder

pytestmark = needs_root

PR_CAPBSET_DROP = 24
LIBC = ctypes.CDLL(None)
LEAVES = """
    import resource, tempfile

    def detach():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(1)
            os._exit(0)

    @agent
    def leaves(run: Run, open_to: list, within: str) -> None:
        detach()
        (Path(within) / f"left-{os.getuid()}").write_text("in a folder of another account")
        for folder in open_to:
            name = Path(folder) / f"left-{os.getuid()}"
            name.mkdir()
            (name / "link").symlink_to(__file__)
            Path(folder, f"link-{os.getuid()}").symlink_to(__file__)
            os.chdir(name)
            for _ in range(1200):
                os.mkdir("deep")
                os.chdir("deep")
        os.chdir("/")
        libc = ctypes.CDLL(None)
        made = [libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600)]
        private = Path(tempfile.mkstemp()[1])
        print(json.dumps([os.getuid(), made, str(private), private.stat().st_mode & 0o777, os.environ["HOME"]]), flush=True)
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Path, str]]:
    """Return a folder that other accounts may read, and an interpreter for them."""
    with open_folder() as folder:
        yield folder, interpreter_in(folder)


@pytest.fixture
def pool_of(opened: tuple[Path, str]) -> Iterator[Callable[..., HostPool]]:
    folder, python = opened
    with pools_in(folder) as make:
        yield lambda *given, **more: make(*given, agent_python=python, **more)


def _uids(pool: HostPool) -> list[int]:
    return [psutil.Process(host.process.pid).uids().real for host in pool.hosts()]


def _printed(host: Host, open_to: list[str], within: Path) -> str:
    """Make the agent leave things behind, and return its report on them while it still executes."""
    lines: list[str] = []
    host.on_output = lambda _, line: lines.append(line)
    activate(host, "r.1", "leaves", open_to=open_to, within=str(within))
    until(lambda: lines and lines[-1].startswith("["), lines)
    return lines[-1]


def test_no_two_hosts_of_the_machine_share_an_account(pool_of: Callable[..., HostPool]) -> None:
    pools = [pool_of(slots=1, idle_hosts=0, host_user=f"{FIRST}-{FIRST + 3}") for _ in range(2)]
    for pool in pools:
        pool.start()
    until(lambda: sum(len(pool.hosts()) for pool in pools) == 4, "all are warm")
    assert sorted(uid for pool in pools for uid in _uids(pool)) == list(range(FIRST, FIRST + 4))
    with pytest.raises(
        CannotServe, match=r"names 4 accounts, and other workers of this machine hold 4 of them; .* needs 2"
    ):
        pool_of(slots=1, host_user=f"{FIRST}-{FIRST + 3}").start()
    pools[0].stop()
    pool_of(slots=1, host_user=f"{FIRST}-{FIRST + 3}").start()


def test_too_few_accounts_are_refused_with_their_number(pool_of: Callable[..., HostPool]) -> None:
    with pytest.raises(CannotServe, match=r"names 2 accounts; this worker needs 4: .* better 8"):
        pool_of(slots=3, host_user=f"{FIRST},{FIRST + 1}").start()
    pool_of(slots=1, host_user=f"{FIRST},{FIRST + 1}").start()


def test_root_is_no_account_of_hosts(pool_of: Callable[..., HostPool]) -> None:
    with pytest.raises(CannotServe, match="never run as root"):
        pool_of(host_user=f"root,{FIRST}").start()


def test_a_worker_that_is_not_root_says_that_it_cannot_change_accounts(
    pool_of: Callable[..., HostPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotServe, match="needs a worker that is started as root; this one has user id 1000"):
        pool_of(host_user=f"{FIRST},{FIRST + 1}").start()


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder of root within one of those, in which every account may write."""
    with open_folder() as folder:
        inner = folder / "inner"
        for one in (folder, inner):
            one.mkdir(exist_ok=True)
            one.chmod(0o1777)
        yield inner


def test_an_account_that_is_used_again_holds_nothing_of_the_host_before(
    pool_of: Callable[..., HostPool], shared: Path
) -> None:
    pool = pool_of(LEAVES, slots=1, idle_hosts=0, host_user=f"{FIRST}-{FIRST + 1}")
    pool.start()
    host = pool.take("acme")
    folders = [folder for folder in dict.fromkeys(map(os.path.realpath, WRITABLE)) if os.access(folder, os.W_OK)]
    open_to = [folder for folder in folders if folder != "/dev/mqueue" and Path(folder).stat().st_mode & 0o002]
    uid, made, private, mode, home = json.loads(_printed(host, open_to, shared))
    assert (mode, Path(home)) == (0o600, Path(private).parent)
    assert len(processes_of(uid)) >= 2
    assert Path(open_to[0], f"left-{uid}").is_dir()
    host.kill("test")
    pool.give_back(host)

    until(lambda: uid in _uids(pool), "its account is used again")
    assert len(processes_of(uid)) == 1, "the new host alone"
    assert not [one for folder in open_to for one in Path(folder).iterdir() if one.name.endswith(f"-{uid}")]
    assert list(shared.iterdir()) == []
    assert not Path(private).parent.exists()
    for kind, number in zip(("shm", "msg", "sem"), made, strict=True):
        lines = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
        assert number not in [int(line.split()[1]) for line in lines]
    assert Path(pool._settings.agents).exists(), "no link was followed"


def test_an_account_is_free_again_when_its_worker_is_killed() -> None:
    code = f"""
        import sys, time
        from executor.hosts import accounts
        print(len(accounts.hold(accounts.named("{FIRST}-{FIRST + 1}"), 2)), flush=True)
        time.sleep(600)
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "2\n"
    both = accounts.named(f"{FIRST}-{FIRST + 1}")
    assert accounts.hold(both, 2) == []
    holder.kill()
    holder.communicate()
    assert accounts.hold(both, 2) == both
    accounts.release(both)


def test_a_single_account_is_shared_and_nothing_of_it_is_ended(pool_of: Callable[..., HostPool]) -> None:
    neighbour: subprocess.Popen[Any] = subprocess.Popen(["sleep", "600"], user=FIRST, group=FIRST, extra_groups=[])
    try:
        pool = pool_of(slots=1, idle_hosts=0, host_user=str(FIRST))
        pool.start()
        until(lambda: _uids(pool) == [FIRST, FIRST], "both share it")
        pool.discard(first := pool.take("acme"))
        until(lambda: len(pool.hosts()) == 2, "it is replaced")
        assert pid_is_gone(first.process.pid)
        assert neighbour.poll() is None
    finally:
        neighbour.kill()
        neighbour.wait()


def test_a_worker_needs_no_right_of_root_but_those_that_the_deployment_gives_it() -> None:
    given = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["worker"]["cap_add"]
    numbers = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}

    def drop() -> None:
        for capability in set(range(64)) - {numbers[name] for name in given}:
            LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)

    again = ["-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "used_again"]
    done = subprocess.run(
        [sys.executable, *again], check=False, cwd=ROOT, preexec_fn=drop, capture_output=True, text=True, timeout=120
    )
    assert "1 passed" in done.stdout, done.stdout[-3000:]
