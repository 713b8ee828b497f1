"""Warm starts: processes of ours forked from one that has imported what they need, which takes two seconds of a core each time.

A forked process has its own session, signals, descriptors, environment and exit code, like one that was started by `exec`.
`ops.up`, the chaos drills of `make chaos` and the image start theirs by `exec`; tests/processes/test_ops_up.py covers that.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ops import spawner

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("uvicorn", "scheduler", "celery", "api.keys")
_PR_SET_PDEATHSIG = 1
_LIBRARIES = (
    "alembic", "celery.apps.worker", "celery.bin.celery", "celery.bin.worker", "celery.concurrency.thread",
    "celery.worker.consumer", "celery.worker.components", "celery.events", "kombu.transport.redis", "httptools",
    "uvicorn.main", "uvicorn.config", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto", "uvloop",
    "sqlalchemy.dialects.postgresql.psycopg", "structlog.dev", "redis.asyncio",
)  # fmt: skip
# These read the settings when they are imported, as the whole of `executor` does.
_NOT_BEFORE = ("api.app", "scheduler.__main__", "api.keys.__main__")


# ------------------------------------------------------------------------------------------------- in the test's process
class Warm:
    """A process that was forked from the warm one, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, words: Sequence[str], descriptors: Sequence[int], order: Mapping[str, Any]) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self._line = _server().ask({"words": list(words), **order}, descriptors)
        self.pid = int(os.read(self._line, 32))
        os.set_blocking(self._line, False)

    def poll(self) -> int | None:
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self.returncode = int(os.read(self._line, 32) or -signal.SIGKILL)
                os.close(self._line)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None:
            select.select([self._line], [], [], timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def is_warm(command: Sequence[str], cwd: Path | str) -> bool:
    """Return whether this command is `python -m` with a module that starts warm, from the root of the checkout."""
    ours = list(command[:2]) == [sys.executable, "-m"] and command[2] in MODULES and "flower" not in command
    return ours and Path(cwd) == ROOT


def start(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str], *, death: int = signal.SIGKILL
) -> Any:
    """Start a command that `is_warm`, without an input and with both outputs to `output`."""
    with Path(os.devnull).open("rb") as nothing:
        files = [nothing.fileno(), output.fileno(), output.fileno()]
        return Warm(command, files, {"environment": dict(environment), "death": int(death), "session": False})


def spawn(
    argv: Sequence[str],
    output: IO[bytes],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: Sequence[int] = (),
) -> Any:
    """Start `argv` as `ops.spawner.spawn` does; warm, where it launches one of our servers as ourselves."""
    words = dict(word.split("=", 1) for word in argv[: argv.index("--")] if "=" in word) if "--" in argv else {}
    command = argv[argv.index("--") + 1 :] if words else argv
    if keep or words.get("become") or not words or not is_warm(command, words["cwd"]):
        return spawner.spawn(argv, output, env=env, cwd=cwd, keep=keep)
    reading, writing = os.pipe()
    files, order = [reading, output.fileno(), output.fileno()], {"death": int(words["death"]), "session": True}
    started = Warm(command, files, {"environment": dict(os.environ if env is None else env), **order})
    os.close(reading)
    started.stdin = os.fdopen(writing, "wb")
    return started


class _Server:
    """The warm process, and the way to it."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAXIWAY_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(there.fileno())],
            cwd=ROOT, env=environment, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        there.close()

    def stop(self) -> None:
        """End the warm process, and with it whatever still lives of those that it started."""
        self._here.close()
        self._process.kill()
        self._process.wait()

    def ask(self, order: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Send an order, with descriptors for it; return the one on which the new process's id and exit code come."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            folder = json.dumps(order).encode()
            read, write = os.pipe()  # an environment may be longer than a packet
            sent = array.array("i", [theirs.fileno(), read, *descriptors])
            self._here.sendmsg([b"start"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
            os.close(read)
            with os.fdopen(write, "wb") as pipe:
                pipe.write(folder)
        return ours.detach()


_started: list[_Server] = []
_starting = threading.Lock()


def _server() -> _Server:
    with _starting:
        if not _started:
            _started.append(_Server())
    return _started[0]


def stop() -> None:
    """End the warm process of this process of tests, if there is one."""
    while _started:
        _started.pop().stop()


# ------------------------------------------------------------------------------------------------- in the warm process
def _import_all() -> None:
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for package in ("models", "scheduler", "api"):
        whole = importlib.import_module(package)
        for found in pkgutil.walk_packages(whole.__path__, f"{package}."):
            if found.name not in _NOT_BEFORE and "migrations" not in found.name:
                importlib.import_module(found.name)
    from models.runtime.settings import settings  # noqa: PLC0415  with the rest

    assert settings.cache_info().currsize == 0, (
        "a module reads the settings when it is imported: name it in _NOT_BEFORE"
    )
    assert threading.active_count() == 1, threading.enumerate()


def _serve(orders: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each order; return its order in the new process, and None when the orders end."""
    lines: dict[int, socket.socket] = {}
    wake, waker = _wake_up_by_children()
    while True:
        ready, _, _ = select.select([orders, wake], [], [])
        if wake in ready:
            wake.recv(4096)
            _report(lines)
        if orders not in ready:
            continue
        said, files, _, _ = socket.recv_fds(orders, 16, 8)
        if not said:
            return None
        with os.fdopen(files[1], "rb") as pipe:
            order: dict[str, Any] = json.loads(pipe.read())
        line = socket.socket(fileno=files[0])
        if (pid := os.fork()) == 0:
            return {**order, "files": files[2:], "close": [orders, wake, waker, line, *lines.values()]}
        lines[pid] = line
        for number in files[2:]:
            os.close(number)
        line.send(str(pid).encode())


def _wake_up_by_children() -> tuple[socket.socket, socket.socket]:
    wake, waker = socket.socketpair()
    wake.setblocking(False)
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake, waker


def _report(lines: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with lines.pop(ended[0]) as line, contextlib.suppress(OSError):
                line.send(str(os.waitstatus_to_exitcode(ended[1])).encode())


def _become(order: dict[str, Any], parent: int, filters: list[Any]) -> None:
    """Turn this process into one that was started by the order's command."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in order["close"]:
        one.close()
    for number, file in enumerate(order["files"]):
        os.dup2(file, number)
        os.close(file)
    if order["session"]:
        os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, order["death"], 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the warm process is gone")
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    if order["environment"].get("PYTHONWARNINGS") != "error":
        warnings.filters[:] = filters  # type: ignore[index]  # a list, whatever its stub says
    sys.argv = [order["words"][2], *order["words"][3:]]
    sys.path[0] = str(ROOT)


def main() -> None:
    """Import everything, serve orders, and become what each asks for."""
    filters = list(warnings.filters)
    warnings.simplefilter("error")
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    orders = socket.socket(fileno=int(sys.argv[1]))
    parent = os.getpid()
    warnings.filters[:] = filters  # type: ignore[index]  # what is imported may warn
    _import_all()
    order = _serve(orders)
    if order is None:
        return
    warnings.simplefilter("error")
    _become(order, parent, filters)
    runpy.run_module(order["words"][2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
