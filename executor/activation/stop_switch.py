"""Stop of an activation: its cause (a cancel or the time limit) and the time at which the host is killed."""

import threading
import time
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["cancel", "timeout"]


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that was sent to the host: when its grace ends, the host is killed."""

    kind: Kind
    kill_at: float
    in_flight: str | None
    by: str | None = None
    comment: str | None = None


class StopSwitch:
    """Decides between a finish and a stop: the first one holds, and both threads see the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished = False
        self.stop: Stop | None = None

    def ask(
        self, kind: Kind, grace_s: float, in_flight: str | None, by: str | None = None, comment: str | None = None
    ) -> bool:
        """Begin to stop; return False if the activation has finished or is already being stopped (a shorter grace applies)."""
        kill_at = time.monotonic() + grace_s
        with self._lock:
            if self._finished:
                return False
            if self.stop is not None:
                self.stop = _sooner(self.stop, kind, kill_at, by, comment)
                return False
            self.stop = Stop(kind, kill_at, in_flight, by, comment)
            return True

    def finish(self) -> bool:
        """Record the agent's own end; return False if a stop was sent to the host before."""
        with self._lock:
            self._finished = self.stop is None
            return self._finished


def _sooner(stop: Stop, kind: Kind, kill_at: float, by: str | None, comment: str | None) -> Stop:
    """Return the tighter of two stops; a cancel beats a time limit that is being enforced."""
    kill_at = min(kill_at, stop.kill_at)
    if stop.kind == "timeout" and kind == "cancel":
        return Stop("cancel", kill_at, stop.in_flight, by, comment)
    return replace(stop, kill_at=kill_at)
