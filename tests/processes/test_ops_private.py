"""Only the owner can read what `make up` writes, even if an earlier version left it open."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import psycopg

from ops.child import Child, Command
from ops.embedded import FAST, PostgresServer, ValkeyServer
from ops.logfile import rotate
from ops.stack import upfile
from ops.stack.lock import BaseLock
from ops.stack.secrets import lasting_secret
from ops.stack.setup import run_to_end


def readable_by_others(base: Path) -> dict[str, str]:
    """List what other users could read or list; data folders are closed as a whole."""
    found = {}
    for path in [base, *base.rglob("*")]:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or (mode & 0o077) == 0:
            continue
        if mode & 0o066 or (path != base and not _inside_a_closed_folder(base, path)):
            found[str(path.relative_to(base))] = oct(mode & 0o777)
    return {name: mode for name, mode in found.items() if not _inside_a_closed_folder(base, base / name)}


def _inside_a_closed_folder(base: Path, path: Path) -> bool:
    return any(
        not parent.lstat().st_mode & 0o077 for parent in path.parents if parent != base and base in parent.parents
    )


def test_whatever_was_open_to_others_is_closed_by_the_next_start(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for folder in (base, base / "logs", base / "valkey"):
        folder.mkdir()
        folder.chmod(0o777)
    for name in ("up.lock", "logs/api.log", "logs/old.log.1", "logs/postgres.log", "valkey.lock", "secret"):
        (base / name).write_text("")
        (base / name).chmod(0o666)
    lock = BaseLock(base)
    before = os.umask(0)  # a setting that a user's shell may have
    try:
        lock.acquire()
        rotate(base / "logs")
        assert lasting_secret(base / "secret") == ""
        upfile.write(base, {"TAXIWAY_API_KEY": "k"})
        with PostgresServer(base, FAST) as postgres, ValkeyServer(base) as valkey:
            with psycopg.connect(postgres.url()) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert valkey.pid
            command = Command("api", [sys.executable, "-c", "print('a line')"], base / "logs" / "api.log")
            assert Child(command).wait(20)
            asked = Command(
                "key", [sys.executable, "-c", "import sys; print(1, file=sys.stderr)"], base / "logs" / "keys.log"
            )
            run_to_end("key", asked, lambda: None)
            assert readable_by_others(base) == {}
    finally:
        os.umask(before)
        lock.release()
    assert {path.name for path in (base / "logs").iterdir()} >= {"api.log", "api.log.1", "old.log.1", "keys.log"}
    assert (base / "logs" / "api.log").read_text() == "a line\n"
    assert base.stat().st_mode & 0o066 == 0


def test_what_a_first_start_makes_is_closed_from_the_beginning(tmp_path: Path) -> None:
    base = tmp_path / "new"
    before = os.umask(0)
    try:
        lock = BaseLock(base)
        lock.acquire()
        with PostgresServer(base, FAST), ValkeyServer(base):
            assert readable_by_others(base) == {}
            assert {path.stat().st_mode & 0o777 for path in (base / "logs").iterdir()} == {0o600}
        assert base.stat().st_mode & 0o777 == 0o700
        lock.release()
    finally:
        os.umask(before)
