"""Private files and folders: only their owner may read them, even if an earlier version left them open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


def private_folder(folder: Path) -> Path:
    """Make a folder with mode 700, or set that mode."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    close(folder, 0o700)
    return folder


def private_base(base: Path) -> Path:
    """Make the base folder like `private_folder`.

    Root runs PostgreSQL as another user, which may need to traverse an existing base: users that could traverse it still can,
    but none can list it.
    """
    passable = 0o711 if os.geteuid() == 0 and base.exists() else 0o700
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    close(base, base.stat().st_mode & passable)
    return base


def append_privately(path: Path) -> IO[bytes]:
    """Open a file with mode 600 for appending, in a folder with mode 700."""
    private_folder(path.parent)
    return open_privately(path)


def open_privately(path: Path) -> IO[bytes]:
    """Open a file with mode 600 for appending and reading, in any folder."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a+b")
    close(path, 0o600)
    return file


def close(path: Path, mode: int) -> None:
    """Remove the access of others to a file or folder of ours."""
    if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o7777 != mode:
        path.chmod(mode)
