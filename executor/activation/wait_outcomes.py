"""Outcomes of waits that come while an activation executes: read and told to its host, without a park and a replay.

A lease renewal says that a run's inbox has changed; a deciding transaction wakes the lease keeper, so that is milliseconds later.
Only an activation that has opened waits cares. The inbox is read before the waits: an outcome that comes between the two is told
now, and an inbox is never taken for seen whose outcomes were not told.
"""

import threading
from collections.abc import Callable
from math import inf
from typing import Protocol

from taxiway.frames import Frame, Kind

from executor.activation import replay
from executor.activation.reading import Reading
from models.runs import recording
from models.runs.recording import Fence
from models.runtime.database import Row
from models.statement import Statement
from models.waiting import waits


class Reader(Reading, Protocol):
    """What reading outcomes needs of the worker."""

    def soon(self, job: Callable[[], None]) -> None: ...


class Outcomes:
    """What the host of one activation was told of its waits; any thread may use it."""

    def __init__(self, worker: Reader, fence: Fence, tell: Callable[[Frame], None], inbox: int) -> None:
        self._worker, self._fence, self._tell = worker, fence, tell
        self._inbox = inbox
        self._awaits = False
        self._since = -inf
        self._told: set[tuple[str, float]] = set()
        self._lock = threading.Lock()
        self._looking = self._again = False
        self._then: list[Callable[[], None]] = []
        self.came = False
        """Whether news came to the run since it was claimed, so that a park must look behind the lock of the run's row."""

    def recorded(self, rows: list[Row]) -> None:
        """Note what the activation began with."""
        self._remember(rows)

    def awaited(self) -> None:
        """Note that the activation has opened waits: from now on it wants to be told."""
        self._awaits = True

    def notice(self, inbox: int) -> None:
        """Look for outcomes if the run's inbox is not the one that was seen last."""
        if self._awaits and inbox != self._inbox:
            self.look()

    def look(self, then: Callable[[], None] | None = None) -> None:
        """Look for outcomes soon, in the thread for that; a look that is under way is followed by another.

        `then` is called behind the look that begins next, also where it could not read.
        """
        self.came = True
        with self._lock:
            if then is not None:
                self._then.append(then)
            if self._looking:
                self._again = True
                return
            self._looking = True
        self._worker.soon(self._look)

    def _look(self) -> None:
        more = True
        while more:
            with self._lock:
                then, self._then = self._then, []
            try:
                self._read()
            except BaseException:
                with self._lock:
                    self._looking = self._again = False
                raise
            finally:
                for call in then:
                    call()
            with self._lock:
                more = self._looking = self._again
                self._again = False

    def _read(self) -> None:
        run = next(iter(self._worker.read(recording.fenced(self._fence.run))), None)
        if run is None or not run.belongs_to(self._fence):
            return
        since = {"run": self._fence.run, "since": max(self._since, 0.0)}
        found = self._worker.read(Statement(waits.SETTLED_SINCE, since))
        new = [row for row in found if (row["key"], row["resolvedMs"]) not in self._told]
        self._remember(new)
        for part in replay.parts(new):
            self._tell({"frame": Kind.SETTLED, "waits": part})
        self._inbox = run.inbox

    def _remember(self, rows: list[Row]) -> None:
        over = [(row["key"], row["resolvedMs"]) for row in rows if row["resolvedMs"] is not None]
        self._told.update(over)
        self._since = max([self._since, *(moment for _, moment in over)])
