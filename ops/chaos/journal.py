"""Journal of the harness: accepted runs, faults, decisions and violations."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Accepted:
    """A run whose acceptance was answered."""

    run: str
    key: str
    agent: str
    input: dict[str, Any]
    cancel_asked: bool = False
    cancel_taken: bool = False
    """Whether a cancel was answered with 200 or 202."""


@dataclass(frozen=True)
class Decided:
    """A decision that was answered with 200; each question may have exactly one."""

    wait: str
    run: str
    decision: str


@dataclass
class Incident:
    """One fault: its victims and its time (wall clock; `ended` is None while it lasts)."""

    fault: str
    target: str
    began: float = field(default_factory=time.time)
    ended: float | None = None
    runs: dict[str, int] = field(default_factory=dict)
    """The runs that it hit while a step was in flight, with their activation."""
    note: str = ""

    def covers(self, at: float, linger: float) -> bool:
        """Return whether it may have caused an effect at that time: until it ended, and for `linger` seconds more."""
        return self.began - 0.5 <= at <= (self.ended or time.time()) + linger


@dataclass(frozen=True)
class Violation:
    """A broken promise, with its evidence."""

    invariant: str
    run: str
    evidence: str


class Journal:
    """Written by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.accepted: dict[str, Accepted] = {}
        self.incidents: list[Incident] = []
        self.skipped: list[str] = []
        self.violations: list[Violation] = []
        self.decided: list[Decided] = []
        self.gaps: list[dict[str, Any]] = []
        """Times without a promotion although work waited and slots were free."""

    def accept(self, runs: list[Accepted]) -> None:
        with self._lock:
            self.accepted.update({run.run: run for run in runs})

    def decide(self, decided: Decided) -> None:
        with self._lock:
            self.decided.append(decided)

    def strike(self, incident: Incident) -> Incident:
        with self._lock:
            self.incidents.append(incident)
        return incident

    def complain(self, invariant: str, run: str, evidence: str) -> None:
        """Record a violation, once for each run and invariant."""
        with self._lock:
            if not any((known.invariant, known.run) == (invariant, run) for known in self.violations):
                self.violations.append(Violation(invariant, run, evidence))

    def of(self, *faults: str) -> list[Incident]:
        """Return the incidents of these faults."""
        return [incident for incident in self.incidents if incident.fault in faults]

    def as_json(self) -> dict[str, Any]:
        return {
            "incidents": [asdict(incident) for incident in self.incidents],
            "skipped": self.skipped,
            "violations": [asdict(violation) for violation in self.violations],
            "gaps": self.gaps,
        }
