"""Options of a stack, and their defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ops.embedded import DURABLE
from ops.stack.errors import StackError

SAMPLES = "sdk/examples/license_audit.py,sdk/examples/fetch_pages.py"
"""The agents that are served by default."""


@dataclass(frozen=True)
class StackOptions:
    """One stack; the defaults are those of `make up`."""

    base: Path = Path(".taxiway")
    """Folder of data, secrets, logs and `up.env`."""
    agents: str = SAMPLES
    queue: str = "default"
    workers: int = 2
    slots: int = 4
    """Slots of each worker."""
    schedulers: int = 1
    port: int | None = None
    """Port of the API; None: 8000, or a free one if that is taken. 0: a free one."""
    flower: bool = True
    database_url: str | None = None
    """A PostgreSQL database to use instead of an embedded server."""
    migrated: bool = False
    """Whether the database already has the tables of this version."""
    redis_url: str | None = None
    """A Redis or Valkey to use instead of an embedded server."""
    postgres_settings: Mapping[str, str] = field(default_factory=lambda: DURABLE)
    env: Mapping[str, str] = field(default_factory=dict)
    """Further variables for all of our processes."""
    patience: float = 60.0
    """Seconds until the stack must be ready."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables of `make up` and `make demo`; raise `StackError` for an invalid number."""
        return cls(
            agents=os.environ.get("TAXIWAY_AGENTS") or SAMPLES,
            workers=_number("TAXIWAY_WORKERS", 2, least=1),
            slots=_number("TAXIWAY_SLOTS", 4, least=1),
            schedulers=_number("TAXIWAY_SCHEDULERS", 1, least=1),
            port=_number("TAXIWAY_PORT", 8000, least=0) if os.environ.get("TAXIWAY_PORT") else None,
            database_url=os.environ.get("TAXIWAY_DATABASE_URL") or None,
            redis_url=os.environ.get("TAXIWAY_REDIS_URL") or None,
        )


def _number(name: str, default: int, least: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise StackError(f"{name} is {text!r}: it must be a whole number, at least {least}.")
    return int(text)
