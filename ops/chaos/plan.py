"""Plan and result of an exercise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ops.chaos.faults import FAULTS, Fault
from ops.chaos.journal import Journal
from ops.chaos.orders import Mix
from ops.chaos.recovery import Times
from ops.chaos.size import Size


@dataclass(frozen=True)
class Plan:
    """One exercise. The seed decides the load and the faults, not how processes interleave."""

    seed: int
    seconds: float
    base: Path
    size: Size = field(default_factory=Size)
    mix: Mix = field(default_factory=Mix)
    faults: Sequence[type[Fault]] = FAULTS
    pause: float = 2.0
    """Seconds between two faults of a lane, on average."""
    most_waiting: int = 24
    """Waiting runs above which clients stop enqueuing."""
    rest: float = 120.0
    """Seconds after healing within which all accepted runs must end."""


def short(plan: Plan) -> Plan:
    """Return the plan for a minute: a lease of five seconds, shorter runs, faults close together."""
    size = replace(plan.size, lease=5.0, drain=4.0)
    return replace(plan, size=size, mix=replace(plan.mix, long_seconds=2.0), pause=0.7, rest=60.0)


@dataclass
class Result:
    """The result of an exercise."""

    plan: Plan
    journal: Journal
    statuses: dict[str, int] = field(default_factory=dict)
    times: Times = field(default_factory=Times)
    """Recovery from faults that no other fault overlapped."""
    all_times: Times = field(default_factory=Times)
    rested_after: float | None = None
