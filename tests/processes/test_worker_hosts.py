"""The pool keeps real agent hosts warm, replaces worn or dead ones, and states why none can be started."""

from __future__ import annotations

import os
import pwd
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import structlog

from executor.errors import CannotServe, HostGone
from executor.hosts import HostPool, spawning, wear
from executor.hosts import pool as pools
from tests.processes.carrying import GOOD, carry, until
from tests.processes.fleet import HEAD, TENANT, pid_is_gone


def test_a_pool_says_which_agents_its_hosts_declare(pool_of: Callable[..., HostPool]) -> None:
    [agent] = pool_of().start()
    assert (agent.name, agent.queue, agent.timeout_ms, agent.description) == ("echo", "money", 120_000, "Give it back.")
    assert agent.schema["properties"]["value"] == {"type": "integer", "default": 1}
    assert len(agent.version) == 16


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('raise RuntimeError("no such model")', "no such model"), ("def broken(:", "invalid syntax"), ("x = 1", "agent"),
        (GOOD + GOOD, "echo"), ("sys.exit(7)", "exit"), ("os._exit(7)", "exited with status 7"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"), (None, "my_agents.py"),
        ("print('words of mine', file=sys.stderr); os._exit(1)", "words of mine"), ("os.close(int(sys.argv[2]))", "agent"),
    ],
)  # fmt: skip
def test_agents_that_cannot_be_loaded_are_explained_in_one_line(
    pool_of: Callable[..., HostPool], source: str | None, why: str
) -> None:
    with pytest.raises(CannotServe) as caught:
        pool_of(source).start()
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_missing_names_the_setting(pool_of: Callable[..., HostPool]) -> None:
    with pytest.raises(CannotServe, match="TAXIWAY_AGENT_PYTHON"):
        pool_of(agent_python="/no/such/python").start()


def test_there_is_one_host_more_than_slots_and_a_dead_one_is_replaced(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(slots=2, idle_hosts=0)
    pool.start()
    until(lambda: len(pool.hosts()) == 3, "three hosts are warm")
    dead = pool.hosts()[0]
    os.kill(dead.process.pid, signal.SIGKILL)
    until(dead.exited, "it is dead")

    taken = [pool.take(TENANT) for _ in range(3)]
    assert dead not in taken
    assert [carry(host, f"r.{n}")["frame"] for n, host in enumerate(taken)] == ["finish"] * 3
    until(lambda: len(pool.hosts()) == 3, "the dead one is replaced")


def test_a_host_is_reused_until_it_is_worn(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(host_activations=2)
    pool.start()
    used: list[int] = []
    for n in range(6):
        host = pool.take(TENANT)
        assert carry(host, f"r.{n}")["value"] == "1"
        used.append(host.process.pid)
        pool.give_back(host)
    assert max(used.count(pid) for pid in used) == 2
    assert all(host.activations <= 2 for host in pool.hosts())


def test_a_host_whose_memory_grows_is_replaced_and_why_is_told(
    pool_of: Callable[..., HostPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wear, "LOOK_EACH", 2)
    keeps = GOOD.replace("return value", "KEPT.append(b'1' * (value << 20)); return value")
    pool = pool_of(f"{keeps}    KEPT = []\n", host_growth=20)
    pool.start()
    used: list[int] = []
    with structlog.testing.capture_logs() as logs:
        for n, megabytes in enumerate([40, 1, 8, 8, 8, 8, 1, 1]):  # the first one loads what all later ones use
            host = pool.take(TENANT)
            assert carry(host, f"r.{n}", value=megabytes)["frame"] == "finish"
            used.append(host.process.pid)
            pool.give_back(host)
    assert used[:6] == [used[0]] * 6
    assert used[0] not in used[6:]
    [why] = [line["why"] for line in logs if line["event"] == "host.replaced"]
    assert why.startswith("its memory grew by 3")
    assert "in 4 activations (TAXIWAY_HOST_GROWTH)" in why


def test_a_killed_host_is_not_reused_and_no_process_of_its_group_is_left(
    pool_of: Callable[..., HostPool], tmp_path: Path
) -> None:
    pool = pool_of(
        GOOD + "\n    CHILD = subprocess.Popen(['sleep', '600'])\n    effect(f'{os.getpid()} {CHILD.pid}')\n"
    )
    pool.start()
    host = pool.take(TENANT)
    host.kill("cancel")
    pool.give_back(host)

    pid = host.process.pid
    children = dict(map(int, line.split()) for line in (tmp_path / "effects").read_text().splitlines())
    until(lambda: pid_is_gone(pid) and pid_is_gone(children[pid]), "both are gone")
    assert pool.take(TENANT).process.pid != pid


def test_a_host_that_will_serve_no_more_is_replaced_when_it_is_given_back(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of()
    pool.start()
    host = pool.take(TENANT)
    host.retire("echo", ["thread 'mine'"])
    pool.give_back(host)
    assert host.process.returncode is not None


def test_a_host_has_a_session_and_a_group_of_its_own(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of()
    pool.start()
    pid = pool.take(TENANT).process.pid
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_a_host_that_reads_nothing_is_given_up(
    pool_of: Callable[..., HostPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawning, "HOST_READ_TIMEOUT_S", 1)
    pool = pool_of()
    pool.start()
    host = pool.take(TENANT)
    os.kill(host.process.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(host.process.pid).status() == psutil.STATUS_STOPPED, "it stands still")
    with pytest.raises(HostGone):
        host.send({"frame": "recorded", "activation": "x", "steps": ["x" * 3_000_000], "last": False})
    assert host.try_send({"frame": "valid"}) is False


def test_agents_that_break_later_keep_no_slot_busy_with_trying(
    pool_of: Callable[..., HostPool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is handed back immediately would be promoted again immediately, until the file is repaired."""
    monkeypatch.setattr(pools, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(pools, "FAULT_SECONDS", 1.0)
    pool = pool_of()
    pool.start()
    until(lambda: len(pool.hosts()) == 2, "both are warm")
    (tmp_path / "my_agents.py").write_text("raise RuntimeError('later')")
    for host in pool.hosts():
        host.kill("test")
    began = time.monotonic()
    with pytest.raises(CannotServe, match="later"):
        pool.take(TENANT)
    assert time.monotonic() - began > 0.9

    (tmp_path / "my_agents.py").write_text(HEAD + textwrap.dedent(GOOD))
    assert carry(pool.take(TENANT), "r.1")["frame"] == "finish"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start processes of another account")
def test_a_host_under_an_account_of_its_own_keeps_none_of_our_groups(pool_of: Callable[..., HostPool]) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other accounts
        teller = Path(folder) / "python"
        teller.write_text("#!/bin/sh\necho $(id -u) $(id -g) $(id -G) >&2; exit 1\n")
        teller.chmod(0o755)
        Path(folder).chmod(0o755)
        account = pwd.getpwnam("nobody")
        with pytest.raises(CannotServe, match=f"It said: {account.pw_uid} {account.pw_gid} {account.pw_gid}$"):
            pool_of(agent_python=str(teller), host_user="nobody").start()


def test_an_unknown_account_is_refused_with_the_setting(pool_of: Callable[..., HostPool]) -> None:
    with pytest.raises(CannotServe, match="TAXIWAY_HOST_USER"):
        pool_of(host_user="nobody-of-this-name").start()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_worker_says_once_what_its_hosts_are_kept_from(pool_of: Callable[..., HostPool], wanted: bool) -> None:
    with structlog.testing.capture_logs() as told:
        pool = pool_of(slots=2, host_confined=wanted)
        pool.start()
        until(lambda: len(pool.hosts()) == 3, "three hosts are warm")
    facts = [(fact["event"], fact["log_level"]) for fact in told if "confined" in fact["event"]]
    said = [("host.confined", "info")] if pool.take(TENANT).confined else [("host.unconfined", "warning")]
    assert facts == (said if wanted else [])
    assert wanted or pool.take(TENANT).confined is None


def test_a_worker_warns_of_a_host_that_the_kernel_does_not_confine(
    pool_of: Callable[..., HostPool], tmp_path: Path
) -> None:
    python = tmp_path / "python"  # the SDK of a version that does not report it
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@" --unconfined\n')
    python.chmod(0o755)
    with structlog.testing.capture_logs() as told:
        pool_of(agent_python=str(python)).start()
    assert [fact["log_level"] for fact in told if fact["event"] == "host.unconfined"] == ["warning"]


def test_stopping_leaves_no_host(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(slots=2)
    pool.start()
    pids = [host.process.pid for host in pool.hosts()]
    pool.stop()
    until(
        lambda: not [c for c in psutil.Process().children() if c.pid in pids and not pid_is_gone(c.pid)], "all are gone"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the pipes of a process")
def test_a_dead_host_s_pipes_are_closed_though_another_process_holds_their_other_end(
    pool_of: Callable[..., HostPool],
) -> None:
    pool = pool_of(slots=1, idle_hosts=0)
    pool.start()
    host = pool.take(TENANT)
    streams = [Path(f"/proc/{host.process.pid}/fd/{number}") for number in (1, 2)]
    pipes = {str(stream.readlink()) for stream in streams}
    held = [os.open(stream, os.O_WRONLY) for stream in streams]  # as if it had passed them to another host
    ours = set(map(str, held))
    pool.discard(host)

    def still_read() -> set[str]:
        found = set()
        for entry in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                found |= {str(entry.readlink())} if entry.name not in ours else set()
        return found & pipes

    until(lambda: not still_read(), "both are closed")
    for number in held:
        os.close(number)
