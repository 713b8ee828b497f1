"""Embedded Valkey: on a free port of this machine, with a password that no process listing shows."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from ops.child import Child, Command
from ops.embedded.errors import ServerFailed
from ops.embedded.ownership import owned
from ops.embedded.programs import valkey_program
from ops.logfile import tail
from ops.ports import free_port
from ops.private_files import private_folder

KEPT: Mapping[str, str] = {"appendonly": "yes"}
"""Settings for a broker that keeps its messages across a restart."""
FORGETFUL: Mapping[str, str] = {"appendonly": "no"}
"""Settings for tests."""


class ValkeyServer:
    """A server with its data in `base/valkey`; port and password stay the same for the lifetime of the object."""

    def __init__(self, base: Path, settings: Mapping[str, str] = KEPT, *, port: int | None = None) -> None:
        self.data = base.absolute() / "valkey"
        self.log = base.absolute() / "logs" / "valkey.log"
        self.settings = settings
        self.port = port or free_port()
        self.password = secrets.token_urlsafe(24)
        self.program = valkey_program()
        self.child: Child | None = None

    def url(self, database: int = 0) -> str:
        """Return the address of a numbered database."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        assert self.child is not None, "the server is not running"
        return self.child.pid

    def start(self, timeout: float = 10.0) -> Self:
        """Return once commands are answered; raise `ServerFailed` or `DataInUse`."""
        private_folder(self.data)
        deadline = time.monotonic() + timeout
        with owned(self.data, self.data.with_name("valkey.lock")) as lock:
            if self.child:
                self.child.wait(1.0)  # an earlier one that was killed
            # Configuration through standard input: the password is never an argument.
            self.child = Child(
                Command(
                    "valkey",
                    [str(self.program), "-"],
                    self.log,
                    death_signal=signal.SIGTERM,
                    stdin=self._configuration().encode(),
                    keep=[lock],
                )
            )
            while not self._answers():
                if not self.child.running or time.monotonic() > deadline:
                    self.stop()
                    raise ServerFailed("Valkey", self.log, tail(self.log, 12))
                time.sleep(0.01)
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down and write unsaved data to disk."""
        if self.child:
            self.child.stop(timeout)
        self.child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configuration(self) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.data}"',
            "save": '""',
            "maxmemory-policy": "noeviction",
            **self.settings,
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        """Return whether the server with our password answers (another server on the port would refuse it)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (more := connection.recv(256)):
                    answer += more
        except OSError:
            return False
        return answer.startswith(b"+OK") and b"+PONG" in answer
