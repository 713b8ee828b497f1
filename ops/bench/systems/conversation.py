"""A process that answers each line of JSON with one: how a program in another environment is asked to do something."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ops.bench.systems.system import CannotMeasure
from ops.logfile import tail

PATIENCE = 10.0
"""Seconds that the process has to end when its input has ended."""


class Conversation:
    """A started process that has said that it is ready."""

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
        """Have something done and return what came of it; raise `CannotMeasure`."""
        stdin = self._stream(self.process.stdin)
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._broken() from None
        return self._answer()

    def end(self) -> None:
        """End its input, which ends the process; kill it when it does not."""
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
        return CannotMeasure(f"A process that is measured ended:\n{tail(self.log, 12)}")

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None, "the process was started with pipes"
        return stream
