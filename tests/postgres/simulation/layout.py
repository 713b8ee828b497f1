"""Layout of a simulation: queues, agents, tenants, keys, windows and workers, with their first settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

AGENTS = ("echo", "other")
TENANTS = ("acme", "bolt", "cord")
ZONES = {"UTC": 0, "Asia/Kathmandu": 345}
"""Minutes by which the clock is ahead, always."""


@dataclass(frozen=True)
class WindowOf:
    """It begins every `every` minutes, for `minutes`; the hour is a multiple of the one, and more than the other."""

    every: int
    minutes: int
    kind: str
    zone: str
    on_close: str

    def open(self, at: datetime) -> bool:
        """Return whether runs may start, by arithmetic of minutes only."""
        into = (at.timestamp() + 60 * ZONES[self.zone]) % (60 * self.every)
        return (into < 60 * self.minutes) == (self.kind == "window")


@dataclass(frozen=True)
class WorkerOf:
    queue: str
    slots: int
    agents: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Names belong to one simulation only; see `Field`."""

    queues: Mapping[str, Mapping[str, Any]]
    agents: Mapping[str, Mapping[str, Any]]
    tenants: tuple[str, ...]
    keys: tuple[str, ...]
    windows: Mapping[str, WindowOf]
    workers: tuple[WorkerOf, ...]
    conflicts: tuple[str, ...] = ("queue",)
    said: frozenset[str] = field(default_factory=frozenset)
    """What of queues and agents is changed on the way."""


def draw(dice: Random) -> Layout:
    """Draw some of everything; what is not drawn does not exist, so that few things meet often."""
    windows = {f"w{n}": _window(dice) for n in range(dice.choice((0, 0, 1, 2)))}
    keys = tuple(f"k{n}" for n in range(dice.choice((0, 1, 1, 2, 3))))
    said = frozenset(dice.sample(sorted(QUEUE_SAYS), dice.randint(0, 5)))
    queues = {f"q{n}": queue_says(dice, said, windows) for n in range(dice.choice((1, 1, 2)))}
    agents = {name: agent_says(dice, said, windows) for name in AGENTS[: dice.choice((1, 1, 2))]}
    workers = tuple(worker(dice, queue, agents) for queue in queues for _ in range(dice.choice((1, 1, 2))))
    conflicts = dice.choice(
        (("queue",), ("queue", "queue", "skip"), ("queue", "cancel_running"), ("skip", "cancel_running"))
    )
    return Layout(queues, agents, TENANTS[: dice.randint(1, 3)], keys, windows, workers, conflicts, said)


def _window(dice: Random) -> WindowOf:
    every = dice.choice((10, 20, 30))
    kind, on_close = dice.choice(("window", "blackout")), dice.choice(("finish", "pause"))
    return WindowOf(every, dice.randint(1, every - 1), kind, dice.choice(sorted(ZONES)), on_close)


def worker(dice: Random, queue: str, agents: Mapping[str, Any]) -> WorkerOf:
    """Draw a worker of a queue: most serve every agent."""
    served = tuple(name for name in agents if dice.random() < 0.85)
    return WorkerOf(queue, dice.choice((0, 1, 2, 3, 4, 6)), served or tuple(agents)[:1])


QUEUE_SAYS = {
    "limit": lambda dice: dice.choice((None, 1, 2, 3)),
    "tenant_limit": lambda dice: dice.choice((None, 1, 1, 2, 3)),
    "key_limit": lambda dice: dice.choice((1, 1, 2, 3)),
    "hold_keys": lambda dice: dice.random() < 0.5,
    "rate": lambda dice: dice.choice(
        (None, {"limit": dice.randint(1, 4), "per_ms": dice.choice((1000, 60_000, 900_000))})
    ),
    "weights": lambda dice: {name: dice.choice((0.5, 2.0, 4.0)) for name in TENANTS if dice.random() < 0.5} or None,
    "cordoned": lambda dice: dice.random() < 0.3,
    "paused": lambda dice: dice.random() < 0.3,
}


def queue_says(dice: Random, said: frozenset[str], windows: Mapping[str, Any]) -> dict[str, Any]:
    """Draw new settings of a queue: each one that matters in this layout, with some probability."""
    asked = {word: QUEUE_SAYS[word](dice) for word in sorted(said) if dice.random() < 0.6}
    if windows and dice.random() < 0.2:
        asked["window"] = dice.choice((None, *windows))
    return asked


def agent_says(dice: Random, said: frozenset[str], windows: Mapping[str, Any]) -> dict[str, Any]:
    """Draw new settings of an agent."""
    asked: dict[str, Any] = {}
    if "limit" in said and dice.random() < 0.5:
        asked["limit"] = dice.choice((None, 1, 2))
    if "paused" in said and dice.random() < 0.3:
        asked["paused"] = dice.random() < 0.3
    if windows and dice.random() < 0.1:
        asked["window"] = dice.choice((None, *windows))
    return asked
