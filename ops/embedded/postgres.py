"""Embedded PostgreSQL: makes its data once, runs `postgres` as a direct child, listens only on a Unix socket."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from ops.child import Child, Command
from ops.embedded.errors import ServerFailed
from ops.embedded.identity import Way
from ops.embedded.ownership import owned
from ops.embedded.server_folders import choose_folders
from ops.logfile import tail

DURABLE: Mapping[str, str] = {"shared_buffers": "128MB", "max_connections": "200"}
"""Settings for durable data: `fsync` and `synchronous_commit` stay on."""
FAST: Mapping[str, str] = {**DURABLE, "fsync": "off", "full_page_writes": "off"}
"""Settings for tests: a crash of the machine may lose data, a crash of the server may not."""
LINGER = 5.0
"""Seconds for which the shared memory of a killed server may prevent the start of a new one."""


class PostgresServer:
    """A server with its data below `base`; it can be started and stopped any number of times."""

    def __init__(self, base: Path, settings: Mapping[str, str] = DURABLE, *, way: Way | None = None) -> None:
        base = base.absolute()
        self.settings = settings
        self.log = base / "logs" / "postgres.log"
        folders = choose_folders(base, way)
        self.identity, self.programs, self.home = folders.identity, folders.programs, folders.home
        self.data, self.sockets = folders.data, folders.sockets
        self.child: Child | None = None

    def url(self, database: str = "postgres", driver: str = "") -> str:
        """Return the address of a database: `postgresql://…`, or `postgresql+psycopg://…` with `driver="psycopg"`."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://postgres@/{database}?host={self.sockets}"

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        assert self.child is not None, "the server is not running"
        return self.child.pid

    def start(self, timeout: float = 30.0) -> Self:
        """Return once connections are accepted; raise `ServerFailed` or `DataInUse`."""
        deadline = time.monotonic() + timeout
        with owned(self.data, self.data.with_suffix(".lock")) as lock:
            self._collect()
            self._make_data()
            self._forget_stranger()
            give_up = time.monotonic() + LINGER
            while not self._serve(lock, deadline):
                if time.monotonic() > min(give_up, deadline):
                    raise ServerFailed("PostgreSQL", self.log, tail(self.log, 12))
                time.sleep(0.1)
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down: close connections, write data; if that takes too long, stop without writing."""
        if self.child and self.child.running:
            self.child.send(signal.SIGINT)
            if not self.child.wait(timeout):
                self.child.stop(timeout, signal.SIGQUIT)
        self.child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_data(self) -> None:
        """Make the data folder under a temporary name first, so that an interrupted `initdb` leaves none."""
        if self.data.exists():
            self.identity.own(self.data)
            return
        draft = self.data.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.identity.own(draft)
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        program = [str(self.programs / "initdb"), "-D", str(draft), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        options = [f"--locale={locale}", *(["--no-sync"] if self.settings.get("fsync") == "off" else [])]
        made = self.identity.run([*program, *options])
        if made.returncode != 0:
            raise ServerFailed("PostgreSQL", self.log, made.stderr)
        draft.rename(self.data)

    def _collect(self) -> None:
        """Reap an earlier, killed server of this handle: PostgreSQL treats a zombie as a running server."""
        if self.child:
            self.child.wait(1.0)

    def _forget_stranger(self) -> None:
        """Remove the pid file of a dead server whose id belongs to a zombie or to another process.

        PostgreSQL would refuse to start because of a recycled id or an unreaped zombie. No server can be working here,
        because this process holds the lock.
        """
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            if Path(f"/proc/{pid}").exists() and not _works_in(pid, self.data):
                (self.data / "postmaster.pid").unlink()

    def _serve(self, lock: int, deadline: float) -> bool:
        """Start the server and wait until it is ready; False if it ended instead."""
        argv = [
            str(self.programs / "postgres"),
            "-D",
            str(self.data),
            "-k",
            str(self.sockets),
            "-c",
            "listen_addresses=",
        ]
        for name, value in self.settings.items():
            argv += ["-c", f"{name}={value}"]
        self.child = Child(
            Command(
                "postgres",
                argv,
                self.log,
                cwd=Path("/"),
                become=self.identity.become,
                death_signal=signal.SIGINT,
                keep=[lock],
            )
        )
        while self.child.running and time.monotonic() < deadline:
            if self._ready():
                return True
            time.sleep(0.01)
        self.stop()
        return False

    def _ready(self) -> bool:
        """Return whether our server accepts connections, according to its pid file (as `pg_ctl` does)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:  # a zombie has no folder
        return False
