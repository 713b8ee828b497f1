"""Detection of changed, added or removed agent files and modules beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

NOT_SOURCES = {"__pycache__", "node_modules", "site-packages", "venv"}
MOST_FILES = 2000
"""Maximum of watched files, because they are checked every second."""


def folders(agents: str, root: Path) -> list[Path]:
    """Return the folders of `agents` to watch: a file's folder, or a package's folder."""
    found = []
    for spec in filter(None, (part.strip() for part in agents.split(","))):
        path = root / spec if spec.endswith(".py") else root.joinpath(*spec.split("."))
        found.append(path if path.is_dir() else path.parent)
    return sorted(set(found))


class Changes:
    """Compares the folders with their state at the last call."""

    def __init__(self, watched: list[Path]) -> None:
        self.watched = watched
        self.seen = self._state()

    def happened(self) -> bool:
        """Return whether a file changed since the last call."""
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
