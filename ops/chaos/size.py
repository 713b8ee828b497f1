"""Size and settings of the system under test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ops.stack import StackOptions

AGENTS = "ops.chaos.agents,ops.chaos.async_agents"
PARK_AFTER = 0.7
"""Seconds; short, so that runs park beside a heartbeat, but long enough for decisions while they execute."""
SETTINGS = {"max_connections": "80", "shared_buffers": "64MB"}
"""Settings of PostgreSQL: few connections, so that they are easily exhausted; `fsync` stays on."""
_LEADS = re.compile(r"^(\S+) .*scheduler\.leads", re.MULTILINE)


@dataclass(frozen=True)
class Size:
    """The size of the stack."""

    workers: int = 2
    slots: int = 4
    schedulers: int = 2
    lease: float = 15.0
    drain: float = 8.0


def options(base: Path, size: Size, effects: Path) -> StackOptions:
    """Return a stack of that size, whose agents write to the log `effects`."""
    env = {
        "CHAOS_EFFECTS": str(effects),
        "TAXIWAY_PARK_AFTER": str(PARK_AFTER),
        "TAXIWAY_LEASE_SECONDS": str(size.lease),
        "TAXIWAY_DRAIN_SECONDS": str(size.drain),
    }
    return StackOptions(
        base=base,
        agents=AGENTS,
        workers=size.workers,
        slots=size.slots,
        schedulers=size.schedulers,
        port=0,
        flower=False,
        env=env,
        postgres_settings=SETTINGS,
        patience=120,
    )


def leader(logs: Path, names: list[str]) -> str | None:
    """Return the scheduler among these whose log claims leadership last."""
    said = []
    for name in names:
        found = _LEADS.findall((logs / f"{name}.log").read_text(errors="replace"))
        said += [(found[-1], name)] if found else []
    return max(said)[1] if said else None
