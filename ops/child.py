"""Child process: in its own session, writes to a log file, and ends when its parent ends.

starting ──► running ──► ended           stop() signals the leader, waits, then kills the whole group
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.logfile import tail
from ops.private_files import append_privately
from ops.spawner import spawn

LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Command:
    """A command, and how its end is tied to ours."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path = field(default_factory=Path.cwd)
    become: str = ""
    """Argument of `launch.become`; empty: the same user."""
    death_signal: signal.Signals = signal.SIGKILL
    """The signal that the child receives if this process ends without stopping it."""
    stdin: bytes = b""
    """Input written to the child immediately, for secrets that must not be arguments."""
    keep: Sequence[int] = ()
    """Descriptors that the child inherits."""

    def launch_argv(self) -> list[str]:
        """Return the argument list that starts the program by `launch.py`."""
        ours = [f"parent={os.getpid()}", f"death={int(self.death_signal)}", f"become={self.become}", f"cwd={self.cwd}"]
        return [sys.executable, "-I", "-S", str(LAUNCH), *ours, "--", *self.argv]


class Child:
    """A started command. Its log is appended to, never truncated."""

    def __init__(self, command: Command) -> None:
        self.command = command
        with append_privately(command.log) as output:
            self.process = spawn(command.launch_argv(), output, env=command.env, keep=command.keep)
        assert self.process.stdin is not None  # spawn() always opens it
        with contextlib.suppress(BrokenPipeError), self.process.stdin as stdin:
            stdin.write(command.stdin)

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self.process.poll()

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def send(self, number: signal.Signals) -> None:
        """Signal only the process, if it runs."""
        if self.running:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for its end; return whether it ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kill the process and its group, if it runs: the id of a finished one may belong to another process."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, patience: float, number: signal.Signals = signal.SIGTERM) -> bool:
        """Signal it, and kill its group after `patience` seconds; return whether it ended by itself."""
        self.send(number)
        willing = self.wait(patience)
        if not willing:
            self.kill()
        return willing

    def last_lines(self, lines: int = 12) -> str:
        """Return the last lines of its log."""
        return tail(self.command.log, lines)
