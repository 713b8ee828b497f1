"""The database and the outside world of one run: records, open waits, effects, and the next occurrence.

The next occurrence is a function of the earlier ones, so that an execution that was interrupted and started again
continues as the undisturbed one does. Time passes only here.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from taxiway.frames import Frame, Kind
from taxiway.testing.records import Records
from taxiway.waits import Settled

from .node import Node

RECORDED = frozenset(
    {Kind.STEP, Kind.STEP_FAILED, Kind.STEP_ABANDONED, Kind.SPAWN, Kind.TURN, Kind.OPEN, Kind.EVENT, Kind.PARK}
)
SHOWN = frozenset({Kind.STEP, Kind.STEP_FAILED, Kind.SPAWN})
"""What the run sees; that it has given something up a replay sees by itself."""


@dataclass
class Open:
    """A wait; `due` is the time at which it ends by itself."""

    key: str
    kind: str
    request: dict[str, Any]
    due: float | None
    on_due: str | None


@dataclass
class World:
    """The state of one run. After a crash, a new activation receives a copy of it."""

    program: Node
    seed: int
    way: str
    """`stay`: never parked; `park`: whenever the code waits; `mixed`: now this, now that."""
    now: float = 0.0
    activation: int = 0
    taken: int = 0
    """How many frames were recorded."""
    history: int = 0
    """How much of what the run has seen is recorded."""
    waits: dict[str, Open] = field(default_factory=dict)
    over: list[Settled] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    begun: dict[str, str] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    records: Records = field(init=False)

    def __post_init__(self) -> None:
        self.records = Records(self.start)

    def copy(self) -> World:
        """Return a copy of the state, to continue from."""
        mine = World(self.program, self.seed, self.way, self.now, self.activation, self.taken, self.history)
        mine.waits = {key: Open(**vars(wait)) for key, wait in self.waits.items()}
        mine.over, mine.effects = list(self.over), self.effects.copy()
        mine.begun, mine.times = dict(self.begun), dict(self.times)
        mine.records._steps = dict(self.records._steps)
        mine.records._seq, mine.records.turns = self.records._seq, list(self.records.turns)
        return mine

    def start(self, key: str, agent: str, inputs: Any) -> str:
        """Start children; return their ids as JSON text."""
        for place, text in enumerate(inputs):
            self.begun[f"{key}/{place}"] = json.loads(text)["label"]
        return json.dumps([f"{key}/{place}" for place in range(len(inputs))])

    def take(self, frame: Frame) -> str | None:
        """Record a frame; return the value of its answer."""
        kind = frame["frame"]
        self.taken += kind in RECORDED
        self.history += kind in SHOWN
        if kind == Kind.TURN:
            self.history += sum(key != "moment" for key in frame["seen"])
            for key in frame["gone"]:
                self.waits.pop(key, None)
        if kind in (Kind.OPEN, Kind.PARK):
            for item in frame["waits"]:
                self._open(item)
        return self.records.take(frame)

    def settled(self) -> list[Settled]:
        """Return the waits as a new activation receives them."""
        return [*self.over, *(Settled(key, None) for key in self.waits)]

    def draw(self, *about: Any) -> int:
        """Return a number that depends on the seed, on the records, and on its subject."""
        return zlib.crc32(repr((self.seed, self.history, about)).encode())

    def next(self, steps: Iterable[str], awaited: Iterable[str]) -> tuple[str | None, float]:
        """Return the next of these steps and waits to end, and its time."""
        mine = [key for key in awaited if key in self.waits and not key.startswith("alarm@")]
        candidates = sorted([*steps, *mine], key=lambda one: (self.draw(one), one))
        if not candidates:
            return None, float("inf")
        chosen = next((one for one in candidates if one not in self.waits or self.waits[one].kind != "timer"), None)
        timers = {key: self.waits[key].due or 0.0 for key in mine if self.waits[key].kind == "timer"}
        if chosen is None or (timers and self.draw(chosen, "timer") % 3 == 0):
            chosen = min(timers, key=lambda key: (timers[key], key))
            return chosen, max(self.now, timers[chosen])
        after = (self.draw(chosen, "after") % 64 + 1) / 16
        when = self.times.setdefault(f"{self.history} {chosen}", self.now + after)
        if timers and min(timers.values()) <= when:
            chosen = min(timers, key=lambda key: (timers[key], key))
            when = timers[chosen]
        return chosen, max(self.now, when)

    def parks(self) -> bool:
        """Return whether a run that only waits is parked now."""
        return self.way == "park" or (self.way == "mixed" and self.draw("park") % 2 == 0)

    def settle(self, key: str) -> Settled:
        """End a wait; return its outcome."""
        wait = self.waits.pop(key)
        settled = self._outcome(wait, late=self.draw(key, "late") % 6 == 0)
        self.over.append(settled)
        return settled

    def effect(self, key: str, attempt: int) -> None:
        """Apply the effect of an attempt of a step."""
        self.effects[f"{key} {attempt}"] += 1

    def _open(self, item: dict[str, Any]) -> None:
        key = item["key"]
        if any(one.key == key for one in self.over):
            return
        due = None if item["dueMs"] is None else self.now + item["dueMs"] / 1000
        fresh = Open(key, item["kind"], json.loads(item["request"]), due, item["onDue"])
        self.waits.setdefault(key, fresh)

    def _outcome(self, wait: Open, *, late: bool) -> Settled:
        what = self.draw(wait.key, "what") % 100
        if wait.kind == "timer":
            return Settled(wait.key, "elapsed")
        if late and wait.due is not None and wait.on_due is not None and wait.kind != "approval":
            self.now = max(self.now, wait.due if wait.due - self.now < 1000 else self.now)
            return Settled(wait.key, wait.on_due)
        if wait.kind == "approval":
            outcome = "denied" if what % 4 == 0 else "approved"
            return Settled(wait.key, outcome, by=f"p{what}", comment=wait.request["prompt"])
        if wait.kind == "child":
            to = self.begun[wait.request["signal"].removeprefix("taxiway.child/")]
            status = "FAILED" if what % 5 == 0 else "SUCCESS"
            told = {"run": "c", "status": status, "result": {"to": to, "what": what}, "error": None}
            return Settled(wait.key, "received", json.dumps(told))
        if wait.kind == "signal":
            return Settled(wait.key, "received", json.dumps({"to": wait.request["signal"], "what": what}))
        return Settled(wait.key, "resumed", by=f"p{what}")
