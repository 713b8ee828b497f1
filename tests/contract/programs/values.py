"""Arguments of steps, of all types that agents pass: equal in type, different in value."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID


@dataclass
class Order:
    """An order of a quantity."""

    number: int
    total: Decimal


class Colour(enum.Enum):
    """Two values of one type."""

    RED = "red"
    BLUE = "blue"


class Client:
    """An object without a value of its own."""


MAKERS: Final[dict[str, Callable[[int], Any]]] = {
    "none": lambda n: None,
    "int": lambda n: n,
    "float": lambda n: n / 8,
    "str": lambda n: f"page {n}",
    "bytes": lambda n: f"page {n}".encode(),
    "decimal": lambda n: Decimal(n) / 8,
    "path": lambda n: Path("/pages") / str(n),
    "set": lambda n: {n, n + 1, -n},
    "frozenset": lambda n: frozenset({f"a{n}", f"b{n}"}),
    "tuple": lambda n: (n, (n,)),
    "dict": lambda n: {"page": n, "of": [n]},
    "dataclass": lambda n: Order(n, Decimal(n)),
    "enum": lambda n: list(Colour)[n % 2],
    "uuid": lambda n: UUID(int=n),
    "datetime": lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n),
    "client": lambda n: Client(),
}


def shown(value: Any) -> str:
    """Return a text that is the same for equal values in every process."""
    if isinstance(value, set | frozenset):
        return repr(sorted(value))
    return type(value).__name__ if isinstance(value, Client) else repr(value)
