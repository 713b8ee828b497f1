"""A thing that belongs to the process and not to one run, and how it is put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Restorable:
    """`restore` takes the value that `read` gave first; it is None where only a new process helps."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object] | None = None
