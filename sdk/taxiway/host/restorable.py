"""One part of the process's state, with its reader and its restorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Restorable:
    """A part of the state; `restore` takes the value that `read` returned first, and is None if it cannot be restored."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object] | None = None
