"""What ops said of a queue that the promotion of its runs keeps to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.runtime.database import Row

SLOTS_OF_A_RATE = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` new runs start within any span of `per_s` seconds."""

    limit: int
    per_s: float

    @property
    def slot_s(self) -> float:
        """The length of the slots in which starts are counted."""
        return self.per_s / SLOTS_OF_A_RATE


@dataclass(frozen=True, slots=True)
class Rule:
    """The limits of one queue; None: there is none. A cordoned queue starts no new runs, those that had started go on."""

    cordoned: bool = False
    limit: int | None = None
    tenant_limit: int | None = None
    rate: Rate | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


def rule(row: Row) -> Rule:
    """Read the rule of a queue's row."""
    rate = row["rate"] and Rate(row["rate"]["limit"], row["rate"]["per_ms"] / 1000)
    return Rule(row["cordoned"], row["run_limit"], row["tenant_limit"], rate or None, row["weights"] or {})
