"""The processes that descend from a host, also those that left its process group; none where the system does not tell."""

from contextlib import suppress
from pathlib import Path


def descendants(parent: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found = _children(parent)
    for process in found:  # it grows during the loop
        found += _children(process)
    return found


def _children(parent: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it ended, or this is no Linux
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found
