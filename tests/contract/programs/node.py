"""One part of a program: its kind, its options, and its own parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Node:
    """A part; its `label` is its place in the whole, such as `0.2.1`. Its repr can be evaluated."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Node, ...] = ()
    label: str = ""

    def labelled(self, label: str = "0") -> Node:
        """Return the same part with the labels of all parts."""
        parts = tuple(part.labelled(f"{label}.{place}") for place, part in enumerate(self.parts))
        return replace(self, label=label, parts=parts)

    def count(self) -> int:
        """Return the number of its parts, itself included."""
        return 1 + sum(part.count() for part in self.parts)
