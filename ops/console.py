"""Output of `make up` and `make demo`: their own sentences, and lines of the processes' logs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text
from taxiway.cli.output import clean

COLOURS = ("cyan", "magenta", "blue", "green", "yellow")
_NOTEWORTHY = re.compile(
    r"\[(warning|error|critical)\s*\]"  # our facts
    r'|"level": "(warning|error|critical)"'  # the same as JSON
    r"|^taxiway: "  # the last sentence of a process
    r"|: (WARNING|ERROR|CRITICAL)/|^(WARNING|ERROR|CRITICAL):|^\[[WE] "  # Celery, uvicorn, Flower
)
QUIET = {"postgres", "valkey", "migrate", "keys"}
"""Processes whose lines are shown only with --verbose: servers log every lost connection, and their end is reported."""

# All escapes except colours. With a carriage return, a line could overwrite its own beginning.
_OTHER_ESCAPES = re.compile("\x1b(?!\\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")

console = Console(highlight=False, markup=False, emoji=False)


def say(text: str = "", style: str = "") -> None:
    """Print a line of our own, never wrapped."""
    console.print(Text(text, style=style), soft_wrap=True)


def near(path: Path) -> str:
    """Return a path as a user would type it: relative if it is below the current folder."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def complain(text: str) -> None:
    """Print an error message on stderr."""
    Console(stderr=True, highlight=False, markup=False, emoji=False).print(Text(text, style="red"), soft_wrap=True)


def _coloured(line: str) -> Text:
    """Return a log line with its colours; text of agents in it cannot control the terminal or hide anything."""
    text = Text.from_ansi(_OTHER_ESCAPES.sub(lambda found: clean(found[0]), line))
    seen = clean(text.plain)
    return text if seen == text.plain else Text(seen)


class LogFollower:
    """Prints new lines of log files with the name of their process: warnings and errors, or all lines."""

    def __init__(self, logs: Path, *, verbose: bool) -> None:
        self.logs = logs
        self.verbose = verbose
        self.read: dict[Path, int] = {}

    def skip(self) -> None:
        """Skip all lines written so far."""
        self.read = {log: log.stat().st_size for log in self._files()}

    def step(self) -> None:
        """Print new lines."""
        for log in self._files():
            for line in self._new_lines(log):
                if self.verbose or (log.stem not in QUIET and _NOTEWORTHY.search(line)):
                    self._print(log.stem, line)

    def _files(self) -> list[Path]:
        return sorted(self.logs.glob("*.log"))

    def _new_lines(self, log: Path) -> Iterable[str]:
        """Return new complete lines; a partial line is returned once it is complete."""
        with log.open("rb") as file:
            file.seek(self.read.get(log, 0))
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self.read[log] = self.read.get(log, 0) + whole
        return text[:whole].decode(errors="replace").removesuffix("\n").split("\n") if whole else ()

    @staticmethod
    def _print(name: str, line: str) -> None:
        colour = COLOURS[sum(name.encode()) % len(COLOURS)]
        console.print(Text.assemble((f"{name:<12} ", colour), _coloured(line)), soft_wrap=True)
