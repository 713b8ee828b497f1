"""Live messages of one activation, within a rate: excess messages are dropped before they cost other runs time.

The newest progress of each step is published ten times a second at most, and always before the run's next durable item and its
end. Events and log lines have a budget of messages and bytes. Messages beyond it are dropped and counted, and the count is
written to the run's log. A host that sends too many frames is read slowly, so that its own agent waits and no other.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from taxiway.frames import Kind

from models.runtime.budget import Budget

PROGRESS_SECONDS: Final = 0.1
MOST_STEPS: Final = 100
MESSAGES: Final = 300.0
MESSAGES_AT_ONCE: Final = 600.0
BYTES: Final = 512 * 1024.0
BYTES_AT_ONCE: Final = 2 * 1024 * 1024.0
FRAMES: Final = 2_000.0
FRAMES_AT_ONCE: Final = 4_000.0
WARN_SECONDS: Final = 5.0
LONGEST_PAUSE: Final = 0.05

_ANSWERED: Final = frozenset({
    Kind.STEP, Kind.STEP_FAILED, Kind.STEP_ABANDONED, Kind.SPAWN, Kind.RECALL, Kind.GRANT, Kind.OPEN, Kind.TURN, Kind.LOOK,
})  # fmt: skip
_ANSWERED_WITH: Final[Mapping[str, str]] = {Kind.EVENT: "durable", Kind.STEP_STARTED: "once"}

Publish = Callable[[str, dict[str, Any]], None]


class Live:
    """Publishes the live messages of one activation. Any thread may use it; `read_pause` is for the slot's thread only."""

    def __init__(
        self, publish: Publish, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._publish, self._warn, self._clock = publish, warn, clock
        now = clock()
        self._messages = Budget(MESSAGES, MESSAGES_AT_ONCE, now)
        self._bytes = Budget(BYTES, BYTES_AT_ONCE, now)
        self._frames = Budget(FRAMES, FRAMES_AT_ONCE, now)
        self._progress: dict[object, dict[str, Any]] = {}
        self._progress_at = now
        self._dropped = 0
        self._warned_at = now - WARN_SECONDS
        self._lock = threading.Lock()  # protects everything above but `_frames`, and keeps messages in their order

    def progress(self, data: dict[str, Any]) -> None:
        """Publish the progress of a step or of the agent; until the rate allows it, a newer one replaces it."""
        with self._lock:
            step = data.get("step")
            if step in self._progress or len(self._progress) < MOST_STEPS:
                self._progress[step] = data
            self._flush(self._clock())

    def message(self, kind: str, data: dict[str, Any], size: int) -> None:
        """Publish an event or a log line, or drop it when the budget is spent."""
        with self._lock:
            now = self._clock()
            if self._messages.refill(now) < 1 or self._bytes.refill(now) < size:
                self._dropped += kind == "agent"  # a log line that is not published is still in the log
                return
            self._messages.spend(1)
            self._bytes.spend(size)
            self._publish(kind, data)

    def settle(self) -> None:
        """Publish the waiting progress: a durable item follows."""
        with self._lock:
            self._flush(self._clock(), anyway=True)

    def tick(self, *, last: bool = False) -> None:
        """Publish what the rate allows now, and warn of dropped messages; `last` at the end of the activation."""
        with self._lock:
            now = self._clock()
            self._flush(now, anyway=last)
            dropped = self._dropped if last or now >= self._warned_at + WARN_SECONDS else 0
            if dropped:
                self._dropped, self._warned_at = 0, now
        if dropped:
            self._warn(f"{dropped:,} live events were not shown: a run may show {MESSAGES:.0f} a second")

    def read_pause(self, frame: Mapping[str, Any], *, ours: bool = True) -> float:
        """Return the seconds for which the host is not read after this frame; 0 while it sends few.

        Frames that the agent waits on are paced by their answers, unless they name another activation than `ours`.
        """
        kind = frame["frame"]
        if ours and (kind in _ANSWERED or (kind in _ANSWERED_WITH and frame.get(_ANSWERED_WITH[kind]))):
            return 0.0
        left = self._frames.refill(self._clock())
        self._frames.spend(1)
        return min(LONGEST_PAUSE, max(0.0, (1 - left) / FRAMES))

    def _flush(self, now: float, *, anyway: bool = False) -> None:
        if not self._progress or not (anyway or now >= self._progress_at):
            return
        self._progress_at = now + PROGRESS_SECONDS
        waiting, self._progress = self._progress, {}
        for data in waiting.values():
            self._publish("progress", data)
