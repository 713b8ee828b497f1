"""Recovery times of a running stack after kills and cancels.

The agents write a mark to a file when a step begins, with its process and its worker. So the times come from the place of
execution, not from a reported state.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from taxiway import Client, RunHandle
from taxiway.client import RunCanceled

from ops.bench.systems.system import CannotMeasure
from ops.stack import Stack

LEASE = 15.0
"""Seconds of a worker's lease; no worker is declared dead before the leader is older than this."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Mark:
    """One start of a step."""

    at: float
    host: int
    worker: int


class Faults:
    """One stack, and the file in which its agents leave their marks."""

    def __init__(self, stack: Stack, client: Client, marks: Path, slots: int) -> None:
        self.stack, self.client, self.marks, self.slots = stack, client, marks, slots
        self.began = time.monotonic()

    def kill_host(self) -> float:
        """Kill the process that executes a step; return the seconds until the step runs again."""
        handle, first = self._start("held")
        killed = time.time()
        os.kill(first.host, signal.SIGKILL)
        again = self._mark(2)
        self._end(handle)
        return again.at - killed

    def kill_worker(self) -> float:
        """Kill a worker with its step; return the seconds until the step runs under the other worker."""
        time.sleep(max(0.0, self.began + LEASE + 1 - time.monotonic()))
        handle, first = self._start("held")
        worker = next(child for child in self.stack.workers if child.pid == first.worker)
        killed = time.time()
        worker.send(signal.SIGKILL)
        again = self._mark(2)
        self._end(handle)
        worker.wait(PATIENCE)
        self.stack.fleet.launch(worker.command)
        self.stack.wait_for_slots(self.slots)
        return again.at - killed

    def cancel(self, agent: str) -> float:
        """Cancel a run that is stuck in a step; return the seconds until it has ended."""
        handle, _ = self._start(agent)
        began = time.perf_counter()
        self._end(handle)
        return time.perf_counter() - began

    def _start(self, agent: str) -> tuple[RunHandle, Mark]:
        self.marks.unlink(missing_ok=True)
        self._wait_for_idleness()
        handle = self.client.enqueue(agent, {"path": str(self.marks)})
        return handle, self._mark(1)

    def _mark(self, number: int) -> Mark:
        """Wait for the mark of that number, counted from one."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = self.marks.read_text().splitlines(keepends=True) if self.marks.exists() else []
            if len(lines) >= number and lines[number - 1].endswith("\n"):
                at, host, worker = lines[number - 1].split()
                return Mark(float(at), int(host), int(worker))
            time.sleep(0.002)
        raise CannotMeasure(f"Mark {number} was not left within {PATIENCE:.0f} s.")

    def _end(self, handle: RunHandle) -> None:
        handle.cancel()
        try:
            handle.result(timeout=PATIENCE)
        except RunCanceled:
            return
        raise CannotMeasure(f"Run {handle.id} ended by itself although its step never ends.")

    def _wait_for_idleness(self) -> None:
        """Wait until all slots are free, so that a slot that stays taken is noticed."""
        self.stack.wait_until(
            "all slots were free", lambda: not any(queue["inFlight"] for queue in self.client.capacity())
        )
