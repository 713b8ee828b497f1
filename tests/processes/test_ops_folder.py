"""One stack at a time uses a folder, and its files there are private."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import ports
from ops.ports import free_port, is_free
from ops.stack import (
    AlreadyRunning,
    StackError,
    StackOptions,
    upfile,
)
from ops.stack.lock import BaseLock
from ops.stack.ports import choose_port
from ops.stack.secrets import lasting_secret
from tests.processes.ops_children import ROOT, start


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


def test_a_port_that_somebody_asked_for_must_be_free(tmp_path: Path) -> None:
    server = (
        "import socket\n"
        "taken = socket.create_server(('127.0.0.1', 0))\n"
        "print('ready', taken.getsockname()[1], flush=True)\n"
        "taken.accept()\n"
    )
    child = start(server, tmp_path / "server.log")
    port = int(child.last_lines().split()[-1])
    with pytest.raises(StackError, match=f"Port {port} is taken"):
        choose_port(port)
    child.kill()


def test_a_free_port_is_none_that_an_outgoing_connection_may_take() -> None:
    outgoing = ports.OUTGOING.read_text().split()
    found = {free_port() for _ in range(20)}
    assert len(found) > 10
    assert all(ports.LOWEST <= port < int(outgoing[0]) and is_free(port) for port in found)


def test_where_everything_may_be_outgoing_a_port_is_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "range").write_text("1024\t65000\n")
    monkeypatch.setattr(ports, "OUTGOING", tmp_path / "range")
    assert is_free(free_port())


def test_numbers_in_the_environment_are_checked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_WORKERS", "3")
    assert StackOptions.from_environment().workers == 3
    monkeypatch.setenv("TAXIWAY_SLOTS", "many")
    with pytest.raises(StackError, match="TAXIWAY_SLOTS is 'many'"):
        StackOptions.from_environment()
