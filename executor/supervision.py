"""Supervises one activation on its agent host: frames in, items to the recorder, acknowledgements out, one outcome.

The slot's thread reads frames and watches the clocks. Items are committed by the recorder, whose thread acknowledges
them to the host; the host goes on only then. Nothing that a host sends is trusted: a malformed frame ends the host, a bad
value ends its step. Stops (a cancel, the time limit, a drain) may be asked for by any thread.
"""

import json
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

import psycopg
from taxiway.frames import Frame, Kind

from executor import replay
from executor.errors import HostGone, Refused
from executor.fields import error_object, object_of, object_text, optional_word, step_record, word
from executor.hosts import Host
from executor.lane import Answer, Settled
from executor.notes import Notes
from executor.outcome import Canceled, Dropped, Failed, HandedBack, HostLost, Outcome, Succeeded
from executor.recorder import Recorder
from executor.stopping import StopSwitch
from executor.values import checked
from models import recording
from models.bus import Bus
from models.database import Row
from models.events import live
from models.lifecycle import Reason
from models.recording import Fence, Limits, StepRecord
from models.settings import Settings

TICK_SECONDS = 0.2  # also how long a step runs before it is shown in flight without another item to ride on
_REASONS = frozenset(Reason)


class Surroundings(Protocol):
    """What an activation needs of its worker."""

    settings: Settings
    recorder: Recorder
    bus: Bus

    def read(self, sql: str, params: dict[str, Any]) -> list[Row]: ...
    def must_leave(self, steps_in_flight: int) -> bool: ...
    @property
    def draining(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class InFlight:
    """A step that executes: when it must have ended by the monotonic clock, and the record of an attempt that did not."""

    must_end: float
    attempt: StepRecord


class Supervision:
    """One activation from its first frame to its outcome."""

    def __init__(self, worker: Surroundings, claim: Row, host: Host, fence: Fence) -> None:
        self._worker, self._claim, self._host, self._fence = worker, claim, host, fence
        self.activation = f"{fence.run}.{fence.epoch}"
        self.switch = StopSwitch()
        self.started = time.monotonic()
        self._steps: dict[str, InFlight] = {}
        self._last_n = 0
        self._shown: str | None = None
        self._doubts: deque[tuple[int, str]] = deque()
        self._ticked = 0.0
        self._limits = Limits(worker.settings.max_steps, worker.settings.max_recorded_bytes)
        self._notes = Notes(worker.settings.max_log_bytes - claim["log_bytes"], self._write_log, self._show_log)
        self._run_deadline = self._time_limit()

    # ------------------------------------------------------------------------------------------------ called from outside
    def cancel(self, grace_s: float, by: str | None, comment: str | None) -> None:
        """Stop the agent because somebody asked for it; safe from any thread, again and again."""
        self._stop("cancel", grace_s, by, comment)

    def active_ms(self) -> int:
        """Give the active time of this activation so far, by the worker's monotonic clock."""
        return int((time.monotonic() - self.started) * 1000)

    def supervise(self) -> Outcome:
        """Run the agent on the host until it ends, one way or another."""
        self._host.on_output = lambda stream, line: self._notes.add(stream, "info", line)
        try:
            self._activate()
            while True:
                frame = self._host.receive(TICK_SECONDS)
                outcome = self._handled(frame) if frame else None
                if outcome is not None:
                    return outcome
                self._tick()
        except HostGone as gone:
            return self._without_host(str(gone))
        finally:
            self._host.on_output = None
            self._notes.flush()

    # -------------------------------------------------------------------------------------------------------- to the host
    def _activate(self) -> None:
        claim, settings = self._claim, self._worker.settings
        self._host.activations += 1
        self._host.busy_with = self.activation
        self._host.send(
            {
                "frame": Kind.ACTIVATE, "activation": self.activation, "runId": str(self._fence.run), "epoch": self._fence.epoch,
                "number": claim["activations"], "agent": claim["agent"], "input": claim["input"], "userId": claim["user_id"],
                "metadata": claim["metadata"] or {}, "tenant": claim["tenant"],
                "timeoutMs": None if claim["timeout_ms"] is None else max(0, claim["timeout_ms"] - claim["active_ms"]),
                "limits": {
                    "value": settings.max_value_bytes, "result": settings.max_result_bytes, "event": settings.max_event_bytes,
                },
            }
        )  # fmt: skip
        steps = (
            self._worker.read(replay.RECORDED, replay.recorded_params(self._fence.run)) if claim["has_steps"] else []
        )
        for frame in replay.recorded_frames(self.activation, steps):
            self._host.send(frame)

    def _tell(self, frame: Frame) -> None:
        if not self._host.tell({**frame, "activation": self.activation}):
            self._host.kill("deaf")

    def _stop(self, kind: Any, grace_s: float, by: str | None = None, comment: str | None = None) -> None:
        if self.switch.ask(kind, grace_s, self._in_flight(), by, comment):
            self._tell({"frame": Kind.CANCEL, "kind": kind, "graceMs": int(grace_s * 1000)})

    # ------------------------------------------------------------------------------------------------------ from the host
    def _handled(self, frame: Frame) -> Outcome | None:
        if frame.get("activation") != self.activation:
            return None  # the last words of the activation before this one
        try:
            return self._handle(frame)
        except Refused as refused:
            self._tell({"frame": Kind.REFUSED, "n": frame.get("n"), "code": refused.code, "message": str(refused)})
            return None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HostGone(f"the agent host sent a malformed {frame['frame'][:40]!r} frame") from error

    def _handle(self, frame: Frame) -> Outcome | None:
        match frame["frame"]:
            case Kind.STEP:
                self._steps.pop(word(frame, "key"), None)
                value = checked(
                    frame["value"], self._worker.settings.max_value_bytes, f"the value of step {frame['name']!r}"
                )
                self._record(int(frame["n"]), step_record(frame, "succeeded", value=value))
            case Kind.STEP_FAILED:
                self._steps.pop(word(frame, "key"), None)
                status = "failed" if frame["final"] else "retrying"
                self._record(
                    int(frame["n"]), step_record(frame, status, error=json.dumps(error_object(frame["error"])))
                )
            case Kind.STEP_STARTED:
                self._step_started(frame)
            case Kind.EVENT:
                self._event(frame)
            case Kind.LOG:
                step = optional_word(frame, "step")
                self._notes.add("agent", word(frame, "level"), str(frame["message"]), step, frame.get("attempt"))
            case Kind.RECALL:
                self._recall(word(frame, "key"))
            case Kind.FINISH:
                return self._finished(int(frame["n"]), frame)
            case Kind.FAIL:
                return self._failed(int(frame["n"]), error_object(frame["error"]))
            case _:
                raise ValueError(frame["frame"])
        return None

    def _step_started(self, frame: Frame) -> None:
        key, timeout = word(frame, "key"), frame.get("timeoutMs")
        grace = self._worker.settings.cancel_grace_seconds
        must_end = time.monotonic() + int(timeout) / 1000 + grace if timeout is not None else float("inf")
        self._steps[key] = InFlight(must_end, step_record({**frame, "attempts": frame["attempt"]}, "retrying"))
        if frame.get("once"):
            self._record(int(frame["n"]), replace(self._steps[key].attempt, status="intended"))

    def _record(self, n: int, record: StepRecord) -> None:
        self._shown = self._in_flight()
        statement = recording.step(self._fence, n, record, self._limits, self._shown)
        self._put(n, statement, len(record.value or "") + 500)

    def _event(self, frame: Frame) -> None:
        kind = "progress" if frame["type"] == "progress" else "agent"
        data = checked(frame["data"], self._worker.settings.max_event_bytes, "the event")
        if frame.get("durable"):
            self._shown = self._in_flight()
            n = int(frame["n"])
            self._put(n, recording.event(self._fence, n, kind, object_text(data), self._shown), len(data) + 500)
            return
        about = {name: frame[name] for name in ("step", "attempt") if frame.get(name) is not None}
        message = live(str(self._fence.run), "RUNNING", kind, {**object_of(data), **about})
        self._worker.bus.say(self._claim["tenant"], message)

    def _recall(self, key: str) -> None:
        rows = self._worker.read(replay.VALUE, {"run": self._fence.run, "key": key})
        if not rows:
            raise HostGone("the agent host recalled a step that was not recorded")
        self._host.send({"frame": Kind.RECALLED, "activation": self.activation, "key": key, "value": rows[0]["value"]})

    def _put(self, n: int, statement: Any, size: int) -> None:
        self._last_n = max(self._last_n, n)
        done = lambda answer: self._recorded(n, answer)  # noqa: E731  it carries its item's number to the recorder's thread
        self._worker.recorder.put(self._fence.run, statement, done, size=size, fence=self._fence, n=n)

    def _recorded(self, n: int, answer: Answer) -> None:
        """Tell the host what became of item `n`; in the recorder's thread."""
        if answer is None:
            self._doubts.append((n, "not_recorded"))
        elif isinstance(answer, dict) or isinstance(answer, Settled):
            if not self._worker.draining:  # a draining worker lets no agent past the edge of a step
                self._tell({"frame": Kind.ACK, "n": n})
        elif isinstance(answer, psycopg.errors.DivisionByZero):
            self._tell(
                {"frame": Kind.REFUSED, "n": n, "code": "invalid_output", "message": "this step was finished before"}
            )
        else:
            message = f"it cannot be stored (SQLSTATE {getattr(answer, 'sqlstate', None)})"
            self._tell({"frame": Kind.REFUSED, "n": n, "code": "invalid_output", "message": message})

    # ---------------------------------------------------------------------------------------------------------- the clocks
    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._ticked + TICK_SECONDS / 2:
            return
        self._ticked = now
        self._notes.flush()
        self._resolve_doubts()
        self._show_in_flight()
        stop = self.switch.stop
        if stop is not None and now > stop.kill_at:
            self._host.kill(stop.kind)
        elif stop is None and now > self._run_deadline:
            self._stop("timeout", self._worker.settings.cancel_grace_seconds)
        elif stuck := next((step for step in self._steps.values() if now > step.must_end), None):
            self._kill_stuck(stuck.attempt)
        elif self._worker.draining and self._worker.must_leave(len(self._steps)):
            self._host.kill("drained")

    def _kill_stuck(self, attempt: StepRecord) -> None:
        """End a step that its host could not interrupt when its time was over; the attempt counts, the run goes on."""
        error = {
            "code": "timeout",
            "type": "Timeout",
            "message": "the step did not end within its timeout and was killed",
        }
        self._host.kill("step_timeout")
        self._record(self._last_n + 1, replace(attempt, error=json.dumps(error)))

    def _time_limit(self) -> float:
        if self._claim["timeout_ms"] is None:
            return float("inf")
        return self.started + (self._claim["timeout_ms"] - self._claim["active_ms"]) / 1000

    def _resolve_doubts(self) -> None:
        """An item was not recorded: either the epoch has passed, or the run has reached one of its limits."""
        while self._doubts:
            n, _ = self._doubts.popleft()
            rows = self._worker.read(recording.FENCED, {"run": self._fence.run})
            if not rows or (rows[0]["epoch"], rows[0]["lease_worker"]) != (self._fence.epoch, self._fence.worker):
                self._host.kill("fenced")
            else:
                text = f"a run records at most {self._limits.steps:,} steps and {self._limits.recorded_bytes:,} bytes"
                self._tell({"frame": Kind.REFUSED, "n": n, "code": "history_limit", "message": text})

    def _in_flight(self) -> str | None:
        return next(iter(self._steps), None)

    def _show_in_flight(self) -> None:
        key = self._in_flight()
        if key != self._shown and key is not None:
            self._shown = key
            self._worker.recorder.put(self._fence.run, recording.in_flight(self._fence, key), self._ignore)

    # ------------------------------------------------------------------------------------------------------------- the end
    def _finished(self, n: int, frame: Frame) -> Outcome:
        if not self.switch.finish():
            return self._stopped("returned")
        try:
            return Succeeded(n, checked(frame["value"], self._worker.settings.max_result_bytes, "the result"))
        except Refused as refused:
            return Failed(n, refused.code, {"code": refused.code, "type": "ResultRefused", "message": str(refused)})

    def _failed(self, n: int, error: dict[str, Any]) -> Outcome:
        if error.get("traceback"):
            self._notes.add("agent", "error", error.pop("traceback"), error.get("step"))
        if not self.switch.finish():
            return self._stopped("interrupted" if error["code"] in ("canceled", "timeout") else "returned")
        return Failed(n, error["code"] if error["code"] in _REASONS else Reason.AGENT_ERROR, error)

    def _stopped(self, how: str) -> Outcome:
        stop = self.switch.stop
        assert stop is not None
        if stop.kind == "cancel":
            return Canceled(stop.in_flight, how, stop.by, stop.comment)
        limit = (self._claim["timeout_ms"] or 0) / 1000
        error = {"code": "timeout", "type": "Timeout", "message": f"the run was active for longer than its {limit:g} s"}
        return Failed(1 << 30, Reason.TIMEOUT, {**error, "step": stop.in_flight}, stop.in_flight, how)

    def _without_host(self, epitaph: str) -> Outcome:
        in_flight = self._in_flight()
        self._host.kill("lost")
        why = self._host.killed
        if not self.switch.finish():
            return self._stopped("killed" if why in ("cancel", "timeout") else "died")
        match why:
            case "fenced":
                return Dropped("fenced")
            case "lease":
                return HandedBack(Reason.WORKER_LOST, in_flight)
            case "drained":
                return HandedBack(Reason.DRAINED, in_flight)
            case "step_timeout":
                return HandedBack(Reason.TIMEOUT, in_flight)
            case _:
                return HostLost(in_flight, epitaph)

    # --------------------------------------------------------------------------------------------------------------- notes
    def _write_log(self, lines: list[recording.LogLine]) -> None:
        size = sum(len(line.message) for line in lines)
        self._worker.recorder.put(self._fence.run, recording.log(self._fence, lines), self._ignore, size=size)

    def _show_log(self, line: recording.LogLine) -> None:
        data = {"level": line.level, "message": line.message, "source": line.source}
        about = {"step": line.step, "attempt": line.attempt} if line.step else {}
        self._worker.bus.say(self._claim["tenant"], live(str(self._fence.run), "RUNNING", "log", {**data, **about}))

    @staticmethod
    def _ignore(answer: Answer) -> None:
        """Nobody waits for this item; if the fence has passed, one that somebody waits for will say so."""
