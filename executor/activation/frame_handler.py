"""Takes in what a host says during an activation: items go to the recorder, acknowledgements come back out.

Nothing that a host sends is trusted: a malformed frame ends the host (HostGone), a bad value ends its step (Refused). An
item is acknowledged after its commit, by the thread that committed it; the host goes on only then.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import psycopg
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
from executor.activation.grant_requests import Authorizations
from executor.activation.host_outbox import HostOutbox
from executor.activation.host_questions import Questions
from executor.activation.json_limits import checked
from executor.activation.live_messages import Live
from executor.activation.log_buffer import LogBuffer
from executor.activation.reading import Reading
from executor.activation.spawn_requests import SpawnRequests
from executor.activation.steps_in_flight import StepsInFlight
from executor.activation.unanswered import Unanswered
from executor.activation.wait_lookups import Looking
from executor.activation.wait_outcomes import Outcomes
from executor.errors import HostGone, Refused
from executor.hosts import Host
from executor.recorder.connection import Decision
from executor.recorder.group_commit import Answer, is_committed
from executor.recorder.recorder import Recorder
from models.claim import Claim
from models.runs import recording
from models.runs.children import Spawn
from models.runs.public_event import live
from models.runs.recording import Fence, Limits, LogLine, StepRecord
from models.runtime.bus import PROMOTE, Bus
from models.runtime.settings import Settings
from models.statement import Statement

MOST_FAULTS = 10
"""Items that the database refuses, before their host is ended: each breaks a group of everybody's items."""


class Surroundings(Reading, Protocol):
    """What an activation needs of its worker."""

    settings: Settings
    recorder: Recorder
    bus: Bus
    authorizations: Authorizations

    def soon(self, job: Callable[[], None]) -> None: ...
    def must_leave(self, steps_in_flight: int) -> bool: ...
    @property
    def draining(self) -> bool: ...


class FrameHandler:
    """The items of one activation between its host and the recorder."""

    def __init__(self, worker: Surroundings, claim: Claim, host: Host, fence: Fence) -> None:
        self._worker, self._host, self._fence, self._tenant = worker, host, fence, claim.tenant
        self.activation = f"{fence.run}.{fence.epoch}"
        self.outbox = HostOutbox(host, self.activation)
        self.tell = self.outbox.tell
        self.steps = StepsInFlight()
        self._unanswered = Unanswered()
        self._questions = Questions(
            worker, host, fence, self._tenant,
            activation=self.activation, unanswered=self._unanswered, tell=self.tell,
        )  # fmt: skip
        self.live = Live(self._show, lambda text: self.notes.add("taxiway", "warning", text))
        self.notes = LogBuffer(worker.settings.max_log_bytes - claim.log_bytes, self._write_log, self._show_log)
        self._nursery = SpawnRequests(worker.read, worker.settings.max_input_bytes)
        self._limits = Limits(worker.settings.max_steps, worker.settings.max_recorded_bytes)
        self.outcomes = Outcomes(worker, fence, self.tell, claim.inbox)
        self._openings = Openings(
            fence, self._tenant, self._limits, steps=self.steps, put=self._put, outcomes=self.outcomes
        )
        self._looking = Looking(
            worker, fence, self._tenant, self._limits, put=self._put, soon=self._questions.soon, outcomes=self.outcomes,
            tell=self.tell, is_leaving=lambda: self._holds or worker.draining,
        )  # fmt: skip
        self._unrecorded: deque[int] = deque()
        self._faults = 0
        self._holds = False
        self.at_edge = False
        """Whether the agent waits, held at the edge of a step, for an acknowledgement that it will not get."""
        self.cleanup: list[str] = []
        """The names of steps with which the agent undid something at its end."""
        self._last_n = 0

    @property
    def is_behind(self) -> bool:
        """Return whether the host has said so much, or read so little, that nothing more is read of it for now."""
        return self._unanswered.is_too_much or self.outbox.is_full

    def hold(self) -> None:
        """Let the agent go no further than what it does now; safe from any thread."""
        self._holds = True

    def take(self, frame: Frame) -> None:
        """Take in a frame that does not end the activation; raises HostGone when it is malformed."""
        try:
            self._take(frame)
        except Refused as refused:
            self._refuse(frame.get("n"), refused.code, str(refused))

    def expire(self, attempt: StepRecord) -> None:
        """Record a failed attempt of a step that had to be killed because its time was over; the run goes on after it.

        Of a `once` step the intent stays on record: nobody knows what it did, so it is never attempted again.
        """
        if attempt.status == "intended":
            return
        error = {"code": "timeout", "type": "Timeout", "message": "the step outlasted its timeout and was killed"}
        self._record(self._last_n + 1, replace(attempt, error=json.dumps(error)))

    def explain_unrecorded(self) -> None:
        """Find out why items were not recorded: the epoch has passed, or the run has reached one of its limits."""
        while self._unrecorded:
            n = self._unrecorded.popleft()
            run = next(iter(self._worker.read(recording.fenced(self._fence.run))), None)
            if run is None or not run.belongs_to(self._fence):
                self._host.kill("fenced")
            else:
                most = f"{self._limits.steps:,} steps and {self._limits.recorded_bytes:,} bytes"
                settings = self._worker.settings
                children = (
                    f"starts at most {settings.max_children:,} children, at most {settings.max_levels} levels deep"
                )
                self._refuse(n, "history_limit", f"a run records at most {most}, and {children}")

    def show(self) -> None:
        """Write which step executes when no item of the run has carried it yet, and what keeps the slot."""
        self._openings.show_held(self._worker.recorder, self.notes)
        key = self.steps.oldest
        if key not in (None, self.steps.shown):
            self.steps.shown = key
            self._worker.recorder.put(self._fence.run, recording.in_flight(self._fence, key), _nobody_waits)

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
                self.notes.add("agent", bounded_text(frame, "level"), str(frame["message"]), step, frame.get("attempt"))
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
            self._record(int(frame["n"]), attempt, edge=False)

    def _record(self, n: int, record: StepRecord, *, edge: bool = True) -> None:
        self.steps.shown = self.steps.oldest
        statement = recording.step(self._fence, n, record, self._limits, self.steps.shown)
        self._put(n, statement, len(record.value or "") + 500, edge=edge)

    def _spawn(self, frame: Frame) -> None:
        taken = self._nursery.take(frame)
        if taken is None:
            return
        record, born = taken
        n, size = int(frame["n"]), sum(len(child.input) for child in born)
        self.steps.shown = self.steps.oldest
        spawn = Spawn(
            self._fence, n, record, born, self._limits, self._worker.settings.max_children,
            self._worker.settings.max_levels, self.steps.shown,
            own_priority=frame.get("priority") is not None,
        )  # fmt: skip
        self._put(n, spawn, size, value=record.value, queue=born[0].queue)

    def _event(self, frame: Frame) -> None:
        kind = "progress" if frame["type"] == "progress" else "agent"
        data = checked(frame["data"], self._worker.settings.max_event_bytes, "the event")
        if frame.get("durable"):
            n = int(frame["n"])
            self.steps.shown = self.steps.oldest
            statement = recording.event(self._fence, n, kind, object_text(data), self.steps.shown)
            self._put(n, statement, len(data) + 500)
        else:
            about = {name: frame[name] for name in ("step", "attempt") if frame.get(name) is not None}
            self._show_live(kind, {**object_of(data), **about}, len(data))

    def _show_live(self, kind: str, data: dict[str, Any], size: int) -> None:
        if kind == "progress":
            self.live.progress(data)
        else:
            self.live.message(kind, data, size)

    def _put(
        self,
        n: int,
        item: Decision,
        size: int,
        *,
        edge: bool = True,
        value: str | None = None,
        queue: str | None = None,
        then: Callable[[Answer], None] | None = None,
        ack: Callable[[], None] | None = None,
        unrecorded: Callable[[], None] | None = None,
    ) -> None:
        """Have an item recorded; the host is told its `value`, if there is one, and `queue` may have more to execute.

        `then` is called when the host was told. `ack` and `unrecorded` tell it themselves.
        """
        self._last_n = max(self._last_n, n)
        self.live.settle()
        self._unanswered.add(size)

        def done(answer: Answer) -> None:
            self._unanswered.remove(size)
            if queue is not None and is_committed(answer):
                self._worker.bus.wake_up(PROMOTE, queue)
            if unrecorded is not None and not is_committed(answer):
                unrecorded()
                return
            self._recorded(n, answer, edge, value, ack)
            if then is not None:
                then(answer)

        alone = not isinstance(item, Statement)
        here = not self.steps  # else the slot's thread has steps to look after, and their items go together
        self._worker.recorder.put(
            self._fence.run, item, done, size=size, fence=self._fence, n=n, alone=alone, here=here
        )

    def _recorded(
        self, n: int, answer: Answer, edge: bool = True, value: str | None = None, ack: Callable[[], None] | None = None
    ) -> None:
        """Tell the host what became of item `n`; in the thread that committed it.

        Neither a draining worker nor a pause lets an agent past the `edge` of a step. The intent of a `once` step is none:
        held back there, the step would never begin, and yet count as begun.
        """
        match answer:
            case None:
                self._unrecorded.append(n)
            case _ if is_committed(answer):
                if edge and (self._holds or self._worker.draining):
                    self.at_edge = True
                elif ack is not None:
                    ack()
                else:
                    self.tell({"frame": Kind.ACK, "n": n} | ({} if value is None else {"value": value}))
            case psycopg.errors.DivisionByZero():
                self._fault()
                self._refuse(n, "invalid_output", "this step was finished before")
            case error:
                self._fault()
                self._refuse(n, "invalid_output", f"it cannot be stored (SQLSTATE {getattr(error, 'sqlstate', None)})")

    def _fault(self) -> None:
        self._faults += 1
        if self._faults == MOST_FAULTS:
            self._host.kill("faults")

    def _refuse(self, n: Any, code: str, message: str) -> None:
        self.tell({"frame": Kind.REFUSED, "n": n, "code": code, "message": message})

    def _write_log(self, lines: list[LogLine]) -> None:
        size = sum(len(line.message) for line in lines)
        self._worker.recorder.put(self._fence.run, recording.log(self._fence, lines), _nobody_waits, size=size)

    def _show_log(self, line: LogLine) -> None:
        about = {"step": line.step, "attempt": line.attempt} if line.step else {}
        data = {"level": line.level, "message": line.message, "source": line.source, **about}
        self.live.message("log", data, len(line.message))

    def _show(self, kind: str, data: dict[str, Any]) -> None:
        self._worker.bus.publish_event(self._tenant, live(str(self._fence.run), "RUNNING", kind, data))


def _nobody_waits(_: Answer) -> None:
    """Nobody waits for this item; if the fence has passed, one that somebody waits for will say so."""
