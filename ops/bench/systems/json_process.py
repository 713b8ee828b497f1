"""Process that answers each line of JSON with another: commands for a program in another environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ops.bench.systems.system import CannotMeasure
from ops.logfile import tail

PATIENCE = 10.0
"""Seconds for the process to end after its input has ended."""


class JsonProcess:
    """A started process that is ready for commands."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def wait_until_ready(self) -> None:
        """Wait for its first line; raise `CannotMeasure`."""
        self._answer()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result; raise `CannotMeasure`."""
        stdin = self._stream(self.process.stdin)
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._broken() from None
        return self._answer()

    def end(self) -> None:
        """Close its input, which ends the process; kill it if it does not end."""
        self._stream(self.process.stdin).close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._stream(self.process.stdout).close()

    def _answer(self) -> Any:
        line = self._stream(self.process.stdout).readline()
        while line and not line.strip():
            line = self._stream(self.process.stdout).readline()
        if not line:
            raise self._broken()
        return json.loads(line)

    def _broken(self) -> CannotMeasure:
        return CannotMeasure(f"A measured process ended:\n{tail(self.log, 12)}")

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None, "the process was started with pipes"
        return stream
