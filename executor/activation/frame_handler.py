"""Handler of a host's frames during an activation: one method for each kind of frame.

Nothing that a host sends is trusted: a malformed frame ends the host (HostGone), a bad value ends its step (Refused).
"""

import json
from dataclasses import replace
from typing import Any

from taxiway.frames import Frame, Kind

from executor.activation.async_frames import Openings
from executor.activation.frame_fields import (
    bounded_text,
    error_object,
    object_of,
    object_text,
    optional_text,
    step_record,
)
from executor.activation.host_items import HostItem, HostItems
from executor.activation.host_outbox import HostOutbox
from executor.activation.host_questions import Questions
from executor.activation.json_limits import checked
from executor.activation.live_messages import Live
from executor.activation.log_buffer import LogBuffer
from executor.activation.services import ActivationServices
from executor.activation.spawn_requests import SpawnRequests
from executor.activation.steps_in_flight import StepsInFlight
from executor.activation.unanswered import Unanswered
from executor.activation.wait_lookups import Looking
from executor.activation.wait_outcomes import Outcomes
from executor.errors import HostGone, Refused
from executor.hosts import Host
from executor.recorder.group_commit import Answer
from models.promotion.claim import Claim
from models.runs import recording
from models.runs.children import Spawn
from models.runs.public_event import live
from models.runs.recording import Fence, Limits, LogLine, StepRecord


class FrameHandler:
    """Handles the frames of one activation. Used by the slot's thread; other threads may `send` and `hold`."""

    def __init__(self, worker: ActivationServices, claim: Claim, host: Host, fence: Fence) -> None:
        self._worker, self._host, self._fence, self._tenant = worker, host, fence, claim.tenant
        self.activation = f"{fence.run}.{fence.epoch}"
        self.outbox = HostOutbox(host, self.activation)
        self.send = self.outbox.send
        self.steps = StepsInFlight()
        self._unanswered = Unanswered()
        self._limits = Limits(worker.settings.max_steps, worker.settings.max_recorded_bytes)
        self.items = HostItems(
            worker, host, fence, self._limits, steps=self.steps, unanswered=self._unanswered, send=self.send
        )
        self._questions = Questions(
            worker,
            host,
            fence,
            self._tenant,
            activation=self.activation,
            unanswered=self._unanswered,
            send=self.send,
        )
        self.live = Live(self._show, lambda text: self.log.add("taxiway", "warning", text))
        self.log = LogBuffer(worker.settings.max_log_bytes - claim.log_bytes, self._write_log, self._show_log)
        self._spawns = SpawnRequests(worker.read, worker.settings.max_input_bytes)
        self.outcomes = Outcomes(worker, fence, self.send, claim.inbox)
        self._openings = Openings(
            fence, self._tenant, self._limits, steps=self.steps, put=self._put, outcomes=self.outcomes
        )
        self._looking = Looking(
            worker,
            fence,
            self._tenant,
            self._limits,
            put=self._put,
            soon=self._questions.soon,
            outcomes=self.outcomes,
            send=self.send,
            is_leaving=lambda: self.items.holds or worker.draining,
        )
        self.cleanup: list[str] = []
        """The names of steps by which the agent undid something at its end."""

    @property
    def is_behind(self) -> bool:
        """Return whether the host has sent so much, or read so little, that it is not read for now."""
        return self._unanswered.is_too_much or self.outbox.is_full

    def hold(self) -> None:
        """Keep the agent from going past the edge of its next step; safe from any thread."""
        self.items.holds = True

    def take(self, frame: Frame) -> None:
        """Handle a frame that does not end the activation; raise HostGone if it is malformed."""
        try:
            self._take(frame)
        except Refused as refused:
            self.items.refuse(frame.get("n"), refused.code, str(refused))

    def expire(self, attempt: StepRecord) -> None:
        """Record the failed attempt of a step that was killed at its timeout; the run continues after it.

        The intent of a `once` step stays on record: its effect is unknown, so it is never attempted again.
        """
        if attempt.status == "intended":
            return
        error = {"code": "timeout", "type": "Timeout", "message": "the step outlasted its timeout and was killed"}
        self._record(self.items.last_n + 1, replace(attempt, error=json.dumps(error)))

    def show(self) -> None:
        """Write which step executes if no item of the run has carried it yet, and the causes that keep the slot."""
        self._openings.show_held(self._worker.recorder, self.log)
        key = self.steps.oldest
        if key not in (None, self.steps.shown):
            self.steps.shown = key
            self._worker.recorder.put(self._fence.run, recording.in_flight(self._fence, key), _ignored)

    def _take(self, frame: Frame) -> None:
        match frame["frame"]:
            case Kind.STEP:
                self._succeeded(frame)
            case Kind.STEP_FAILED:
                self.steps.ended(bounded_text(frame, "key"))
                status = "failed" if frame["final"] else "retrying"
                error = json.dumps(error_object(frame["error"]))
                self._record(int(frame["n"]), step_record(frame, status, error=error))
            case Kind.STEP_STARTED:
                self._step_started(frame)
            case Kind.SPAWN:
                self._spawn(frame)
            case Kind.OPEN | Kind.TURN | Kind.STEP_ABANDONED | Kind.HELD:
                self._openings.take(frame)
            case Kind.EVENT:
                self._event(frame)
            case Kind.LOG:
                step = optional_text(frame, "step")
                self.log.add("agent", bounded_text(frame, "level"), str(frame["message"]), step, frame.get("attempt"))
            case Kind.GRANT | Kind.RECALL:
                self._questions.take(frame)
            case Kind.LOOK:
                self._looking.take(frame, self.steps.oldest)
            case unknown:
                raise ValueError(unknown)

    def _succeeded(self, frame: Frame) -> None:
        name = bounded_text(frame, "name")
        self.steps.ended(bounded_text(frame, "key"))
        value = checked(frame["value"], self._worker.settings.max_value_bytes, f"the value of step {name!r}")
        if frame.get("cleanup"):
            self.cleanup.append(name)
        self._record(int(frame["n"]), step_record(frame, "succeeded", value=value))

    def _step_started(self, frame: Frame) -> None:
        attempt = step_record({**frame, "attempts": frame["attempt"]}, "intended" if frame.get("once") else "retrying")
        limit_ms, grace = frame.get("timeoutMs"), self._worker.settings.cancel_grace_seconds
        self.steps.started(attempt, None if limit_ms is None else int(limit_ms) / 1000 + grace)
        if len(self.steps) > self._limits.steps:
            raise HostGone("the agent host begins more steps than a run may record")
        if frame.get("once"):
            self._record(int(frame["n"]), attempt, ends_step=False)

    def _record(self, n: int, record: StepRecord, *, ends_step: bool = True) -> None:
        self.steps.shown = self.steps.oldest
        statement = recording.step(self._fence, n, record, self._limits, self.steps.shown)
        self._put(HostItem(n, statement, len(record.value or "") + 500, ends_step=ends_step))

    def _spawn(self, frame: Frame) -> None:
        taken = self._spawns.take(frame)
        if taken is None:
            return
        record, children = taken
        n, size = int(frame["n"]), sum(len(child.input) for child in children)
        self.steps.shown = self.steps.oldest
        spawn = Spawn(
            self._fence,
            n,
            record,
            children,
            self._limits,
            self._worker.settings.max_children,
            self._worker.settings.max_levels,
            self.steps.shown,
            own_priority=frame.get("priority") is not None,
        )
        self._put(HostItem(n, spawn, size, value=record.value, queue=children[0].queue))

    def _event(self, frame: Frame) -> None:
        kind = "progress" if frame["type"] == "progress" else "agent"
        data = checked(frame["data"], self._worker.settings.max_event_bytes, "the event")
        if frame.get("durable"):
            n = int(frame["n"])
            self.steps.shown = self.steps.oldest
            statement = recording.event(self._fence, n, kind, object_text(data), self.steps.shown)
            self._put(HostItem(n, statement, len(data) + 500))
        else:
            about = {name: frame[name] for name in ("step", "attempt") if frame.get(name) is not None}
            self._show_live(kind, {**object_of(data), **about}, len(data))

    def _show_live(self, kind: str, data: dict[str, Any], size: int) -> None:
        if kind == "progress":
            self.live.progress(data)
        else:
            self.live.message(kind, data, size)

    def _put(self, item: HostItem) -> None:
        self.live.settle()
        self.items.put(item)

    def _write_log(self, lines: list[LogLine]) -> None:
        size = sum(len(line.message) for line in lines)
        self._worker.recorder.put(self._fence.run, recording.log(self._fence, lines), _ignored, size=size)

    def _show_log(self, line: LogLine) -> None:
        about = {"step": line.step, "attempt": line.attempt} if line.step else {}
        data = {"level": line.level, "message": line.message, "source": line.source, **about}
        self.live.message("log", data, len(line.message))

    def _show(self, kind: str, data: dict[str, Any]) -> None:
        self._worker.bus.publish_event(self._tenant, live(str(self._fence.run), "RUNNING", kind, data))


def _ignored(_: Answer) -> None:
    """No caller waits for this item; if the fence has passed, the answer to a numbered item shows it."""
