"""What `make up` and `make demo` write to the terminal: their own sentences, and what the processes' logs say."""

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
    r"|^taxiway: "  # the sentence with which a process ends
    r"|: (WARNING|ERROR|CRITICAL)/|^(WARNING|ERROR|CRITICAL):|^\[[WE] "  # Celery, uvicorn, Flower
)
QUIET = {"postgres", "valkey", "migrate", "keys"}
"""Whose lines are shown only on request: servers write about every lost connection, and their end is reported."""

# But the escapes of colours. A carriage return would let a line write over its own beginning.
_OTHER_ESCAPES = re.compile("\x1b(?!\\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")

console = Console(highlight=False, markup=False, emoji=False)


def say(text: str = "", style: str = "") -> None:
    """Print a line of our own, never wrapped."""
    console.print(Text(text, style=style), soft_wrap=True)


def near(path: Path) -> str:
    """Return a path as one would type it here: relative where it lies below the current folder."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def complain(text: str) -> None:
    """Print a sentence about what went wrong, on stderr."""
    Console(stderr=True, highlight=False, markup=False, emoji=False).print(Text(text, style="red"), soft_wrap=True)


def _coloured(line: str) -> Text:
    """Return a line of a log in the colours that it has; words of an agent in it steer no terminal and hide nothing."""
    text = Text.from_ansi(_OTHER_ESCAPES.sub(lambda found: clean(found[0]), line))
    seen = clean(text.plain)
    return text if seen == text.plain else Text(seen)


class LogFollower:
    """Prints new lines of log files, each after the name of its process: warnings and worse, or all of them."""

    def __init__(self, logs: Path, *, verbose: bool) -> None:
        self.logs = logs
        self.verbose = verbose
        self.read: dict[Path, int] = {}

    def skip(self) -> None:
        """Take what is written so far as read."""
        self.read = {log: log.stat().st_size for log in self._files()}

    def step(self) -> None:
        """Print what is new."""
        for log in self._files():
            for line in self._new_lines(log):
                if self.verbose or (log.stem not in QUIET and _NOTEWORTHY.search(line)):
                    self._print(log.stem, line)

    def _files(self) -> list[Path]:
        return sorted(self.logs.glob("*.log"))

    def _new_lines(self, log: Path) -> Iterable[str]:
        """Return whole lines only: the rest of a line that is being written comes next time."""
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
