"""Log files: their last lines, and rotation."""

from __future__ import annotations

from pathlib import Path

from ops.private_files import close

READ_AT_MOST = 64 * 1024


def tail(path: Path, lines: int) -> str:
    """Return the last `lines` lines of `path`, or an empty string if the file does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - READ_AT_MOST))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def rotate(folder: Path) -> None:
    """Rotate the logs of the last start, so that new logs are only about this one."""
    for log in folder.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
    for log in folder.glob("*.log.1"):
        close(log, 0o600)
