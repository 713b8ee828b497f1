"""Faults: each can be struck and, after a while, healed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from ops.chaos.cluster import Cluster
from ops.chaos.effects import Effects
from ops.chaos.journal import Incident, Journal
from ops.chaos.observer import InFlight, Observer

Lane = Literal["quick", "slow"]
LOOK_EVERY = 0.02
PATIENCE = 4.0
"""Seconds for which a fault waits for a victim."""


@dataclass
class World:
    """Everything that a fault may use; each lane of faults has its own."""

    cluster: Cluster
    observer: Observer
    effects: Effects
    journal: Journal
    stopping: threading.Event
    dice: Random

    @property
    def lease(self) -> float:
        return self.cluster.size.lease

    def seen_in_flight(self, wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        """Wait for suitable steps in flight and return them; empty if there were none in time."""
        return self._seen(self.observer.in_flight, wanted)

    def seen_at_rest(self, wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        """Wait for suitable executing runs that only wait, and return them; empty if there were none in time."""
        return self._seen(self.observer.at_rest, wanted)

    def _seen(self, look: Callable[[], list[InFlight]], wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self.stopping.is_set():
            if found := [one for one in look() if wanted(one)]:
                return found
            time.sleep(LOOK_EVERY)
        return []


class Fault(ABC):
    """One kind of fault; `costs` tells readers of the report what it may cost. Nothing else may be lost."""

    name: ClassVar[str]
    costs: ClassVar[str]
    weight: ClassVar[float] = 1
    lane: ClassVar[Lane] = "quick"
    lasts: ClassVar[tuple[float, float]] = (0, 0)
    """Minimum and maximum of seconds between strike and healing."""
    leases: ClassVar[tuple[float, float]] = (0, 0)
    """The same in leases, added."""

    def hold(self, rng: Random, lease: float) -> float:
        """Return a random duration."""
        return rng.uniform(*self.lasts) + rng.uniform(*self.leases) * lease

    @abstractmethod
    def strike(self, world: World) -> Incident | None:
        """Strike; None if there is no victim now."""

    def heal(self, world: World, incident: Incident) -> None:  # noqa: B027 - most faults are over immediately
        """Undo it."""
