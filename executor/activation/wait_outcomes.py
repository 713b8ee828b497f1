"""Outcomes of waits that are resolved while an activation executes: sent to its host, without a park and a replay.

A lease renewal shows that a run's inbox has changed; a deciding transaction wakes the lease keeper, so that takes milliseconds.
Only an activation that has opened waits reads them. The inbox is read before the waits: an outcome between the two reads is sent
now, and an inbox never counts as seen before its outcomes were sent.
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


class OutcomeServices(Reading, Protocol):
    """Services of the worker that reading outcomes uses."""

    def soon(self, job: Callable[[], None]) -> None: ...


class Outcomes:
    """Sends outcomes to the host of one activation, each once. Any thread may use it."""

    def __init__(self, worker: OutcomeServices, fence: Fence, send: Callable[[Frame], None], inbox: int) -> None:
        self._worker, self._fence, self._send = worker, fence, send
        self._inbox = inbox
        self._awaits = False
        self._since = -inf
        self._sent: set[tuple[str, float]] = set()
        self._lock = threading.Lock()
        self._looking = self._again = False
        self._then: list[Callable[[], None]] = []
        self.has_news = False
        """Whether the inbox changed since the claim, so that a park must read the waits under the lock of the run's row."""

    def recorded(self, rows: list[Row]) -> None:
        """Remember the outcomes that the activation began with."""
        self._remember(rows)

    def awaited(self) -> None:
        """Record that the activation has opened waits: from now on it receives outcomes."""
        self._awaits = True

    def notice(self, inbox: int) -> None:
        """Look for outcomes if the run's inbox has changed since the last look."""
        if self._awaits and inbox != self._inbox:
            self.look()

    def look(self, then: Callable[[], None] | None = None) -> None:
        """Look for outcomes soon, in the outcomes thread; a look that is under way is followed by another.

        `then` is called after the look that begins next, even if it could not read.
        """
        self.has_news = True
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
        new = [row for row in found if (row["key"], row["resolvedMs"]) not in self._sent]
        self._remember(new)
        for part in replay.parts(new):
            self._send({"frame": Kind.SETTLED, "waits": part})
        self._inbox = run.inbox

    def _remember(self, rows: list[Row]) -> None:
        over = [(row["key"], row["resolvedMs"]) for row in rows if row["resolvedMs"] is not None]
        self._sent.update(over)
        self._since = max([self._since, *(moment for _, moment in over)])
