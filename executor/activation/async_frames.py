"""Frames of async agents only: waits that they open, turns, steps that they abandon, causes that keep their slot."""

from collections.abc import Callable
from typing import Any

from taxiway.frames import Frame, Kind

from executor.activation.frame_fields import bounded_text, held_by, keys, moment, new_wait, optional_moment, step_record
from executor.activation.host_items import HostItem
from executor.activation.log_buffer import LogBuffer
from executor.activation.steps_in_flight import StepsInFlight
from executor.activation.wait_outcomes import Outcomes
from executor.recorder.group_commit import Answer, Settled
from executor.recorder.recorder import Recorder
from models.runs import holding, opening, recording, turns
from models.runs.recording import Fence, Limits
from models.runtime.facts import fact

MOST_WAITS = 5_000


class Openings:
    """The async agent's part of one activation. Used by the slot's thread only."""

    def __init__(
        self,
        fence: Fence,
        tenant: str,
        limits: Limits,
        *,
        steps: StepsInFlight,
        put: Callable[[HostItem], None],
        outcomes: Outcomes,
    ) -> None:
        self._fence, self._tenant, self._limits, self._steps = fence, tenant, limits, steps
        self._put, self._outcomes = put, outcomes
        self._held: list[dict[str, Any]] = []
        self._held_shown: list[dict[str, Any]] = []

    def take(self, frame: Frame) -> None:
        """Handle one of these frames; raise Refused, or KeyError, TypeError or ValueError if it is malformed."""
        match frame["frame"]:
            case Kind.OPEN:
                self._open(frame)
            case Kind.TURN:
                self._turn(frame)
            case Kind.STEP_ABANDONED:
                self._abandoned(frame)
            case Kind.HELD:  # written with the next tick, so that many frames cost one write
                self._held = held_by(frame)

    def _open(self, frame: Frame) -> None:
        """Open waits; raise Refused for a request that no wait may have."""
        n, items = int(frame["n"]), frame["waits"]
        optional_moment(frame)
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_WAITS:
            raise ValueError("waits")
        new = [new_wait(item, self._tenant) for item in items]
        if len({wait.key for wait in new}) < len(new):
            raise ValueError("a wait twice")
        self._outcomes.awaited()
        item = opening.opening(self._fence, n, new, self._limits, self._shown())
        size = sum(len(str(wait.request)) + 300 for wait in new)
        self._put(HostItem(n, item, size, then=self._opened))

    def _turn(self, frame: Frame) -> None:
        """Record which outcomes the agent saw, and which waits it abandoned."""
        n, seen, gone = int(frame["n"]), keys(frame, "seen"), keys(frame, "gone")
        item = turns.turn(
            self._fence, n, moment(frame), seen=seen, gone=gone, limits=self._limits, in_flight=self._shown()
        )
        self._put(HostItem(n, item, sum(map(len, (*seen, *gone))) + 300))

    def _abandoned(self, frame: Frame) -> None:
        """Record that the agent abandoned a step."""
        self._steps.ended(bounded_text(frame, "key"))
        n, record = int(frame["n"]), step_record(frame, "abandoned")
        self._put(HostItem(n, recording.abandoned(self._fence, n, record, self._limits, self._shown()), 500))

    def show_held(self, recorder: Recorder, log: LogBuffer) -> None:
        """Write the causes that keep the slot, if they have changed."""
        if self._held == self._held_shown:
            return
        self._held_shown = self._held
        recorder.put(self._fence.run, holding.held(self._fence, self._held), lambda _: None)
        if self._held:
            by = ", ".join(map(_describe, self._held))
            fact("run.slot_held", run=self._fence.run, epoch=self._fence.epoch, by=by)
            log.add("agent", "info", f"waits, but keeps its slot: {by}")

    def _opened(self, answer: Answer) -> None:
        # After a lost answer it is unknown whether some of the waits are resolved.
        if isinstance(answer, Settled) or (isinstance(answer, opening.Opened) and answer.over):
            self._outcomes.look()

    def _shown(self) -> str | None:
        self._steps.shown = self._steps.oldest
        return self._steps.shown


def _describe(cause: dict[str, Any]) -> str:
    place = f" ({cause['file']}:{cause['line']})" if cause["file"] and cause["line"] is not None else ""
    return f"{cause['what'] or cause['kind'] or 'something'}{place}"
