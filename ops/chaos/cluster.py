"""The system under test: a stack of two workers, two schedulers and one API, whose processes are killed and restarted.

A *hit* name belongs to its fault until that fault releases it. A process that ended without a fault is a violation; it is
started again so that the exercise can continue.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from ops.chaos.journal import Journal
from ops.chaos.links import LinkedFleet, Links
from ops.chaos.size import Size, leader, options
from ops.child import Child
from ops.stack import Stack, commands
from ops.stack.errors import ended

SETTLED = 5.0
"""Seconds after its start before a process counts as one that can take over."""
CANNOT_START = 3


class Cluster:
    """Start it, hit it, tend it, stop it."""

    def __init__(self, base: Path, size: Size, journal: Journal) -> None:
        self.size, self.journal = size, journal
        self.effects_log = base / "effects.jsonl"
        self.stack = Stack(options(base / "stack", size, self.effects_log))
        self.links = Links(self.stack.servers)
        self.fleet = LinkedFleet(self.stack.options, {}, self.stack.logs)
        self.fleet.links = self.links
        self.stack.fleet = self.fleet
        self.started: dict[str, float] = {}
        self._hit: set[str] = set()
        self._due: dict[str, tuple[float, float]] = {}
        self._lock = threading.RLock()
        self._last_worker = size.workers

    def start(self) -> None:
        self.stack.start()
        self.started = dict.fromkeys(self.fleet.children, time.monotonic())

    def stop(self) -> None:
        """End everything; a process that does not end properly is a violation."""
        children = [child for child in self.fleet.children.values() if child.running]
        self.stack.stop()
        self.links.stop()
        for child in children:
            young = time.monotonic() - self.started[child.name] < 2 * SETTLED
            if child.exit_code not in _good_ends(child, young):
                self.journal.complain("process", "", f"at the end, {ended(child)}")

    def child(self, name: str) -> Child:
        return self.fleet.children[name]

    def running(self, kind: str) -> list[str]:
        """Return the names of the running processes that are not hit."""
        with self._lock:
            return [c.name for c in self.fleet.of_kind(kind) if c.running and c.name not in self._hit]

    def spare(self, kind: str) -> list[str]:
        """Return the processes that may be hit, because another one has been up for a while."""
        up = self.running(kind)
        settled = [name for name in up if time.monotonic() - self.started[name] > SETTLED]
        return settled if len(settled) > 1 else []

    def take(self, name: str) -> bool:
        """Reserve a process for one fault; False if another fault has it."""
        with self._lock:
            free = name not in self._hit
            self._hit.add(name)
            return free

    def let_go(self, name: str) -> None:
        with self._lock:
            self._hit.discard(name)

    def start_again(self, name: str, after: float, skew: float = 0) -> None:
        """Schedule the restart of an ended (hit) process after so many seconds, with its clock wrong by `skew`."""
        with self._lock:
            self._due[name] = (time.monotonic() + after, skew)

    def start_another_worker(self) -> str:
        """Start a worker with a new number."""
        with self._lock:
            self._last_worker += 1
            name = f"worker-{self._last_worker}"
        self._start(name)
        return name

    def leader(self) -> str | None:
        """Return the scheduler whose log claims leadership last, if it runs."""
        return leader(self.stack.logs, self.running("scheduler"))

    def tend(self) -> None:
        """Start the processes that are due, and record those that ended by themselves as violations."""
        now = time.monotonic()
        with self._lock:
            due = [name for name, (at, _) in self._due.items() if now >= at]
            for name in due:
                self._start(name, self._due.pop(name)[1])
                self._hit.discard(name)
            for child in list(self.fleet.children.values()):
                if not child.running and child.name not in self._hit:
                    self._missed(child)

    def heal(self) -> None:
        """Restart all processes immediately."""
        with self._lock:
            self._due = {name: (0.0, skew) for name, (_, skew) in self._due.items()}
        self.tend()

    def worker_of(self, label: str) -> str:
        """Return the name of the process with this label in the database."""
        number = label.partition("@")[0].partition("x")[0].rpartition("-")[2]
        return f"worker-{number}"

    def _missed(self, child: Child) -> None:
        early = time.monotonic() - self.started[child.name] < 2 * SETTLED and child.exit_code == CANNOT_START
        if not early or not self._database_was_hit():
            self.journal.complain("process", "", ended(child))
        self._start(child.name)

    def _database_was_hit(self) -> bool:
        recent = [one for one in self.journal.incidents if "database" in one.fault and one.covers(time.time(), 15)]
        return bool(recent)

    def _start(self, name: str, skew: float = 0) -> None:
        kind, _, number = name.partition("-")
        if kind == "api":
            self.fleet.start_api(int(self.stack.url.rpartition(":")[2]))
        elif kind == "scheduler":
            self.fleet.start_scheduler(int(number))
        else:
            argv = commands.worker(self.stack.options.queue, int(number), self.size.slots)
            if skew:
                argv = [sys.executable, "-m", "ops.chaos.skewed_clock", str(skew), *argv[2:]]
            self.fleet.launch(self.fleet.command(name, argv))
        self.started[name] = time.monotonic()


def _good_ends(child: Child, young: bool) -> tuple[int, ...]:
    # uvicorn re-raises the signal after its shutdown; a process that is still starting has no handler yet
    return (0, -signal.SIGTERM) if young or child.name == "api" else (0,)
