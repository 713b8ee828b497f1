"""What a fault is: something that can be struck and, after a while, healed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from ops.chaos.book import Book, Incident
from ops.chaos.cluster import Cluster
from ops.chaos.effects import Effects
from ops.chaos.eyes import Eyes, InFlight

Lane = Literal["quick", "slow"]
LOOK_EVERY = 0.02
PATIENCE = 4.0
"""Seconds for which a fault waits for something that it can hit."""


@dataclass
class World:
    """What a fault sees and may touch; each lane of faults has its own."""

    cluster: Cluster
    eyes: Eyes
    effects: Effects
    book: Book
    stopping: threading.Event
    dice: Random

    @property
    def lease(self) -> float:
        return self.cluster.size.lease

    def seen_in_flight(self, wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        """Wait until steps are shown in flight that are wanted, and return them; an empty list when none come."""
        return self._seen(self.eyes.in_flight, wanted)

    def seen_at_rest(self, wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        """Wait until runs execute that only wait and are wanted, and return them; an empty list when none come."""
        return self._seen(self.eyes.at_rest, wanted)

    def _seen(self, look: Callable[[], list[InFlight]], wanted: Callable[[InFlight], bool]) -> list[InFlight]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self.stopping.is_set():
            if found := [one for one in look() if wanted(one)]:
                return found
            time.sleep(LOOK_EVERY)
        return []


class Fault(ABC):
    """One way to break things; `costs` says to the reader of the report what it may cost, and nothing else may be lost."""

    name: ClassVar[str]
    costs: ClassVar[str]
    weight: ClassVar[float] = 1
    lane: ClassVar[Lane] = "quick"
    lasts: ClassVar[tuple[float, float]] = (0, 0)
    """Seconds between striking and healing, at least and at most."""
    leases: ClassVar[tuple[float, float]] = (0, 0)
    """The same in leases, added."""

    def hold(self, rng: Random, lease: float) -> float:
        """Draw how long it lasts."""
        return rng.uniform(*self.lasts) + rng.uniform(*self.leases) * lease

    @abstractmethod
    def strike(self, world: World) -> Incident | None:
        """Do it; None when there is nothing to hit now."""

    def heal(self, world: World, incident: Incident) -> None:  # noqa: B027 - most faults are over at once
        """Undo it."""
