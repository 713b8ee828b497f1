"""Notices that an agent file, or a module beside one, was changed, made or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

NOT_SOURCES = {"__pycache__", "node_modules", "site-packages", "venv"}
MOST_FILES = 2000
"""More are not looked at: looking happens each second."""


def folders(agents: str, root: Path) -> list[Path]:
    """Return the folders whose Python files matter for `agents`: a file's own, a package's own."""
    found = []
    for spec in filter(None, (part.strip() for part in agents.split(","))):
        path = root / spec if spec.endswith(".py") else root.joinpath(*spec.split("."))
        found.append(path if path.is_dir() else path.parent)
    return sorted(set(found))


class Changes:
    """Compares the folders with how they were when asked last."""

    def __init__(self, watched: list[Path]) -> None:
        self.watched = watched
        self.seen = self._state()

    def happened(self) -> bool:
        """Say whether something changed since the last call."""
        before, self.seen = self.seen, self._state()
        return before != self.seen

    def _state(self) -> dict[Path, int]:
        state: dict[Path, int] = {}
        for folder in self.watched:
            for path in _sources(folder):
                try:
                    state[path] = path.stat().st_mtime_ns
                except FileNotFoundError:  # removed just now
                    continue
                if len(state) >= MOST_FILES:
                    return state
        return state


def _sources(folder: Path) -> Iterator[Path]:
    for place, inner, files in os.walk(folder):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in NOT_SOURCES)
        yield from (Path(place) / name for name in files if name.endswith(".py"))
