"""Supervision of one activation on its agent host, from the first frame to one outcome.

The slot's thread reads frames and watches the clocks: the run's time limit, a step's timeout, the grace of a stop, the
drain of the worker. Any thread may request a stop; the agent's own end or the stop holds, whichever comes first.
"""

import time
from math import inf
from typing import Any

from taxiway.frames import Frame, Kind

from executor.activation import replay, run_clock
from executor.activation.frame_fields import bounded_text, error_object, input_text, new_wait
from executor.activation.frame_handler import FrameHandler
from executor.activation.host_items import MOST_FAULTS
from executor.activation.json_limits import checked
from executor.activation.outcome import (
    Canceled,
    Dropped,
    Failed,
    HandedBack,
    HostLost,
    Outcome,
    Parked,
    Paused,
    Restarted,
    Succeeded,
    canceled,
    parked,
)
from executor.activation.services import ActivationServices
from executor.activation.stop_switch import Kind as StopKind
from executor.activation.stop_switch import StopSwitch
from executor.errors import HostGone, Refused
from executor.hosts import Host
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.promotion.claim import Claim
from models.runs import turns
from models.runs.recording import Fence
from models.runtime.facts import fact
from models.statement import Statement
from models.waiting import waits

TICK_SECONDS = 0.2  # also the time after which a running step is shown in flight even without another item
BUSY_SECONDS = 0.01  # before queued frames are sent again
BEHIND_SECONDS = 0.002  # before a host with too many unanswered frames is read again
_REASONS = frozenset(Reason)


class Supervision:
    """One activation. `supervise` is for the slot's thread; other methods say if they are safe from any thread."""

    def __init__(self, worker: ActivationServices, claim: Claim, host: Host, fence: Fence) -> None:
        self._worker, self._claim, self._host, self._fence = worker, claim, host, fence
        self._frames = FrameHandler(worker, claim, host, fence)
        self._switch = StopSwitch()
        self._pausing = False
        self._window: str | None = None
        self._started = time.monotonic()
        self._ticked = self._started
        self._run_ends = inf if claim.timeout_ms is None else self._started + self._time_left()

    def cancel(self, grace_s: float, by: str | None, comment: str | None) -> None:
        """Stop the agent because of a request; safe from any thread, any number of times."""
        self._stop("cancel", grace_s, by, comment)

    def pause(self, window: str | None = None) -> None:
        """Stop the agent at the edge of its next step; safe from any thread.

        The cause is a user's request or, if `window` is set, that window's close.
        """
        self._window = window
        if not self._pausing:
            self._pausing = True
            self._frames.hold()
            self._frames.send({"frame": Kind.PAUSE})
            fact("run.pausing", run=self._fence.run, epoch=self._fence.epoch)

    def news(self, inbox: int) -> None:
        """Send new outcomes of waits to the agent if the run's inbox has changed; safe from any thread."""
        self._frames.outcomes.notice(inbox)

    def active_ms(self) -> int:
        """Return the active time of this activation so far, by the worker's monotonic clock."""
        return int((time.monotonic() - self._started) * 1000)

    def supervise(self) -> Outcome:
        """Run the agent on the host until it ends in any way."""
        self._host.on_output = lambda stream, line: self._frames.log.add(stream, "info", line)
        try:
            self._activate()
            while True:
                frame = self._received()
                outcome = self._handled(frame) if frame else None
                if outcome is not None:
                    return outcome
                if frame and (pause := self._frames.live.read_pause(frame, ours=self._is_ours(frame))):
                    time.sleep(pause)
                self._tick()
        except HostGone as gone:
            return self._without_host(str(gone))
        finally:
            self._host.settle_output()
            self._host.on_output = None
            self._frames.live.tick(last=True)
            self._frames.log.flush()

    # ----------------------------------------------------------------------------------------------------------- beginning
    def _activate(self) -> None:
        claim, settings = self._claim, self._worker.settings
        self._host.begin(self._frames.activation)
        steps = self._worker.read(replay.recorded_steps(self._fence.run)) if claim.has_steps else []
        settled = self._worker.read(Statement(waits.SETTLED, {"run": self._fence.run})) if claim.has_waits else []
        seen = self._worker.read(Statement(turns.TURNS, {"run": self._fence.run})) if claim.has_turns else []
        self._frames.outcomes.recorded(settled)
        frame = {
            "frame": Kind.ACTIVATE,
            "activation": self._frames.activation,
            "runId": str(self._fence.run),
            "epoch": self._fence.epoch,
            "number": claim.activations,
            "agent": claim.agent,
            "input": claim.input,
            "userId": claim.user_id,
            "metadata": claim.metadata or {},
            "tenant": claim.tenant,
            "approvalStrategy": claim.approval_strategy,
            "clockMs": run_clock.clock_ms(claim, steps, seen) + 1000 * (time.monotonic() - claim.read_at),
            "parkAfterMs": settings.park_after * 1000,
            "looks": True,
            "timeoutMs": None if claim.timeout_ms is None else int(self._time_left() * 1000),
            "limits": {
                "value": settings.max_value_bytes,
                "result": settings.max_result_bytes,
                "event": settings.max_event_bytes,
                "input": settings.max_input_bytes,
            },
        }
        first, *others = replay.recorded_frames(self._frames.activation, steps, settled, seen)
        self._host.send(frame, first)  # one write is enough for most runs
        for part in others:
            self._host.send(part)
        stop = self._switch.stop
        if stop is not None:  # a host ignores a cancel of an activation that it does not have yet
            self._frames.send({"frame": Kind.CANCEL, "kind": stop.kind, "graceMs": 0})
        if self._pausing:
            self._frames.send({"frame": Kind.PAUSE})

    def _time_left(self) -> float:
        assert self._claim.timeout_ms is not None, "only for runs with a time limit"
        return max(0, self._claim.timeout_ms - self._claim.active_ms) / 1000

    # ------------------------------------------------------------------------------------------------------- frames, clocks
    def _received(self) -> Frame | None:
        """Return the next frame, if one arrives soon; raise HostGone."""
        sent = self._frames.outbox.flush()
        if self._frames.is_behind:
            if self._host.exited():
                raise HostGone(self._host.exit_summary("the agent host has ended"))
            time.sleep(BEHIND_SECONDS)
            return None
        frame = self._host.receive(TICK_SECONDS if sent else BUSY_SECONDS)
        if frame is None and self._host.exited():
            # A process that the agent started may hold the channel open. Read what the host wrote before its end first.
            frame = self._host.receive(0)
            if frame is None:
                raise HostGone(self._host.exit_summary("the agent host has ended"))
        return frame

    def _is_ours(self, frame: Frame) -> bool:
        return bool(frame.get("activation") == self._frames.activation)

    def _handled(self, frame: Frame) -> Outcome | None:
        if not self._is_ours(frame):
            return None  # a late frame of the activation before this one
        try:
            match frame["frame"]:
                case Kind.FINISH:
                    return self._finished(int(frame["n"]), frame["value"])
                case Kind.RESTART:
                    return self._restarted(int(frame["n"]), frame["input"])
                case Kind.PARK:
                    return self._parked(int(frame["n"]), bounded_text(frame, "wake"), frame["waits"])
                case Kind.LEAVING:
                    self._host.retire(self._claim.agent, frame["left"])
                    return None
                case Kind.FAIL:
                    return self._failed(int(frame["n"]), error_object(frame["error"]))
                case _:
                    self._frames.take(frame)
                    return None
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise HostGone(f"the agent host sent a malformed {frame['frame'][:40]!r} frame") from error

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._ticked + TICK_SECONDS / 2:
            return
        self._ticked = now
        self._frames.live.tick()
        self._frames.log.flush()
        self._frames.items.explain_unrecorded()
        self._frames.show()
        self._watch_clocks(now)

    def _watch_clocks(self, now: float) -> None:
        stop = self._switch.stop
        if stop is not None:
            if now > stop.kill_at:
                self._host.kill(stop.kind)
        elif now > self._run_ends:
            self._stop("timeout", self._worker.settings.cancel_grace_seconds)
        elif not self._frames.is_behind and (stuck := self._frames.steps.stuck()):  # else its end may be unread
            self._host.kill("step_timeout")
            self._frames.expire(stuck)
        elif self._pausing and self._frames.items.at_edge and not self._frames.steps:
            self._host.kill("paused")
        elif self._worker.draining and self._worker.must_leave(len(self._frames.steps)):
            self._host.kill("drained")

    def _stop(self, kind: StopKind, grace_s: float, by: str | None = None, comment: str | None = None) -> None:
        if self._switch.ask(kind, grace_s, self._frames.steps.oldest, by, comment):
            self._frames.send({"frame": Kind.CANCEL, "kind": kind, "graceMs": int(grace_s * 1000)})

    # ------------------------------------------------------------------------------------------------------------- the end
    def _finished(self, n: int, value: Any) -> Outcome:
        if not self._switch.finish():
            return self._stopped(n, "returned")
        try:
            return Succeeded(n, checked(value, self._worker.settings.max_result_bytes, "the result"))
        except Refused as refused:
            return _refused(n, "ResultRefused", refused)

    def _restarted(self, n: int, text: Any) -> Outcome:
        if not self._switch.finish():
            return self._stopped(n, "returned")
        try:
            return Restarted(n, input_text(text, self._worker.settings.max_input_bytes, "the input of the restart"))
        except Refused as refused:
            return Failed(n, refused.code, {"code": refused.code, "type": "RestartRefused", "message": str(refused)})

    def _failed(self, n: int, error: dict[str, Any]) -> Outcome:
        traceback = error.pop("traceback", None)
        if traceback:
            self._frames.log.add("agent", "error", traceback, error.get("step"))
        if not self._switch.finish():
            return self._stopped(n, "interrupted" if error["code"] in ("canceled", "timeout") else "returned")
        if error["code"] == Reason.CODE_MISMATCH:
            # A bad deploy must not kill a run that may have waited for weeks: it continues when the code is right again.
            self._frames.log.add("agent", "error", str(error.get("message")), error.get("step"))
            wait = NewWait("code", "code", {"message": error.get("message"), "step": error.get("step")})
            return Parked(n, Verb.PAUSE_BY_AGENT, Reason.CODE_MISMATCH, (wait,))
        if error["code"] == Reason.DENIED and error.get("type") == "Denied":
            # The wait had been denied before the agent reached it, and without it the agent must not continue.
            return Canceled(n, None, "returned", None, error.get("message"), Reason.DENIED, self._cleanup)
        reason = error["code"] if error["code"] in _REASONS else Reason.AGENT_ERROR
        return Failed(n, reason, error, cleanup=self._cleanup)

    @property
    def _cleanup(self) -> tuple[str, ...]:
        return tuple(self._frames.cleanup)

    def _parked(self, n: int, wake: str, items: Any) -> Outcome:
        try:
            opened = [new_wait(item, self._claim.tenant) for item in items]
        except Refused as refused:
            return _refused(n, "WaitRefused", refused) if self._switch.finish() else self._stopped(n, "returned")
        if not opened or len({wait.key for wait in opened}) < len(opened) or wake not in ("all", "any"):
            raise ValueError("a park without waits, or with one twice")
        if not self._switch.finish():
            return self._stopped(n, "returned")
        return parked(n, opened, wake, behind_lock=self._frames.outcomes.has_news)

    def _stopped(self, n: int, how: str) -> Outcome:
        stop = self._switch.stop
        assert stop is not None
        if stop.kind == "cancel":
            return canceled(n, stop.in_flight, how, stop.by, stop.comment, cleanup=self._cleanup)
        assert self._claim.timeout_ms is not None, "only a run with a time limit outlasts it"
        message = f"the run was active for longer than its {self._claim.timeout_ms / 1000:g} s"
        error = {"code": "timeout", "type": "Timeout", "message": message, "step": stop.in_flight}
        return Failed(n, Reason.TIMEOUT, error, stop.in_flight, how, self._cleanup)

    def _without_host(self, exit_summary: str) -> Outcome:
        in_flight = self._frames.steps.oldest
        self._host.kill("lost")
        if not self._switch.finish():
            return self._stopped(NO_ITEM, "killed" if self._host.killed in ("cancel", "timeout") else "died")
        match self._host.killed:
            case "fenced":
                return Dropped("fenced")
            case "lease":
                return HandedBack(Reason.WORKER_LOST, in_flight)
            case "drained":
                return HandedBack(Reason.DRAINED, in_flight)
            case "paused":
                return Paused(self._window)
            case "step_timeout":
                return HandedBack(Reason.TIMEOUT, in_flight)
            case _ if self._host.has_given_up(self._worker.settings.lease_seconds):
                # The worker was frozen or could not renew: the host ended itself as it must, and that is no crash.
                return HandedBack(Reason.WORKER_LOST, in_flight)
            case "faults":
                return HostLost(
                    in_flight, f"the agent host was ended: {MOST_FAULTS} of its items could not be recorded"
                )
            case _:
                return HostLost(in_flight, exit_summary)


def _refused(n: int, named: str, refused: Refused) -> Failed:
    return Failed(n, refused.code, {"code": refused.code, "type": named, "message": str(refused)})


NO_ITEM = 1 << 30  # number of an end that no host sent: behind every item
