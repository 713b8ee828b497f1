"""Distribution of the tests among processes: one has all tests of whole systems, because only one exists at a time.

Distributed file by file, they would wait for each other, and the waiting processes would run nothing else.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = "whole systems"
_ASKS_FOR_ONE = re.compile(r"\bstack: |\bfleet_of\(")


class SystemsTogether(LoadFileScheduling):
    """Keeps the tests of a file together, and all files of whole systems."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SYSTEMS if of_whole_systems(file) else file


@cache
def of_whole_systems(file: str) -> bool:
    """Return whether the tests of a file (from the root) use a system that no other process may use concurrently."""
    return bool(_ASKS_FOR_ONE.search((ROOT / file).read_text()))
