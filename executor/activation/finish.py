"""Record of an activation's end: one move under its fence, decided again if another transaction decided first.

When the epoch has passed, the outcome is dropped. A park gives way to changes that came before it: a request to cancel or to
pause takes its place, and a signal makes it read the inbox again, this time under the lock of the run's row.
"""

import json
from typing import Protocol, assert_never

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
    flower_label,
)
from executor.activation.reading import Reading
from executor.activation.supervision import NO_ITEM
from executor.hosts import Host
from executor.recorder.connection import Decision
from executor.recorder.group_commit import Answer, is_committed
from executor.recorder.recorder import Recorder
from models import moves
from models.lifecycle import Reason, Verb
from models.promotion.claim import Claim
from models.runs import recording
from models.runs.recording import Fence, FencedRun
from models.runs.successors import Restart
from models.runtime.bus import FREED, PROMOTE, Bus
from models.runtime.facts import fact
from models.statement import Statement
from models.waiting import waits
from models.waiting.park import Park

_TRIES = 100
"""Few are ever needed: each try but the first gives way to a request, or parks under the lock of the run's row."""


class FinishServices(Reading, Protocol):
    """Services of the worker that recording an end uses."""

    recorder: Recorder
    bus: Bus


def record(
    services: FinishServices, fence: Fence, claim: Claim, outcome: Outcome, *, active_ms: int, host: Host | None = None
) -> str:
    """Write the outcome and acknowledge the host's last item; return the Flower label of the recorded outcome."""
    n = outcome.n if isinstance(outcome, Succeeded | Restarted | Failed | Canceled | Parked) else 0
    recorded = _decided(services, fence, claim, outcome, active_ms)
    if host is not None and 0 < n < NO_ITEM:
        host.try_send({"frame": "ack", "activation": f"{fence.run}.{fence.epoch}", "n": n})
    name = flower_label(recorded)
    fact("run.left", run=fence.run, epoch=fence.epoch, agent=claim.agent, outcome=name, active_ms=active_ms)
    return name


def _decided(services: FinishServices, fence: Fence, claim: Claim, outcome: Outcome, active_ms: int) -> Outcome:
    """Try the outcome's move; while other transactions decide first, decide again by the current run row."""
    inbox = claim.inbox
    for attempt in range(_TRIES):
        statement = _move(fence, outcome, active_ms, inbox, again=attempt > 0)
        if statement is None:
            return outcome
        answer = _write(services, fence, claim, outcome, statement)
        if is_committed(answer):
            return outcome
        if isinstance(answer, Exception):
            outcome = _unstorable(outcome, answer)
            continue
        run = next(iter(services.read(recording.fenced(fence.run))), None)
        if run is None or not run.belongs_to(fence):
            return Dropped("fenced")
        inbox = run.inbox
        outcome = _after_request(outcome, run)
        if isinstance(outcome, Parked) and _is_over(services, fence, outcome):
            outcome = HandedBack(Reason.WAIT_OVER, None)  # a wait of the park was resolved before the park was written
    return Dropped("undecided")


def _is_over(services: FinishServices, fence: Fence, parked: Parked) -> bool:
    return bool(services.read(waits.are_over(fence.run, [wait.key for wait in parked.waits])))


def _write(services: FinishServices, fence: Fence, claim: Claim, outcome: Outcome, statement: Decision) -> Answer:
    """Write the move, and publish the hint first after the commit: a slot is about to be free."""
    only_freed = isinstance(outcome, Succeeded | Failed) and not claim.matters_to_others
    channel = FREED if only_freed else PROMOTE
    n = outcome.n if isinstance(outcome, Succeeded | Restarted | Failed) else 0
    size = len(outcome.value) if isinstance(outcome, Succeeded) else 0
    alone = not isinstance(statement, Statement)
    return services.recorder.write(
        fence.run,
        statement,
        then=lambda: services.bus.wake_up(channel, claim.queue),
        size=size,
        fence=fence,
        n=n,
        alone=alone,
    )


def _unstorable(outcome: Outcome, error: Exception) -> Outcome:
    """Return the failure of a run whose result PostgreSQL refuses. Raise any other refusal: that is our fault."""
    if not isinstance(outcome, Succeeded | Restarted):
        raise error
    message = "the result cannot be stored" if isinstance(outcome, Succeeded) else "the new input cannot be stored"
    return Failed(
        outcome.n, Reason.INVALID_OUTPUT, {"code": "invalid_output", "type": "ResultRefused", "message": message}
    )


def _after_request(outcome: Outcome, run: FencedRun) -> Outcome:
    """Return what takes the place of an outcome that is no end: cancel beats pause beats window. An end is tried again."""
    if isinstance(outcome, Parked | Paused | Restarted) and run.control_request == "cancel":
        n = 0 if isinstance(outcome, Paused) else outcome.n
        return canceled(n, None, "returned", run.control_by, run.control_reason)
    if isinstance(outcome, Parked | Paused | Restarted) and run.control_request == "pause":
        return Paused()
    if isinstance(outcome, Paused) and run.control_request == "window":
        return Paused(run.control_reason)
    if isinstance(outcome, Paused):  # the pause was withdrawn, or the window is open again
        return HandedBack(Reason.WINDOW_OPENED if outcome.window else Reason.BY_USER, None)
    return outcome


def _pause(fence: Fence, active_ms: int, window: str | None) -> Decision:
    at = (fence.run, fence.epoch, fence.worker)
    if window is None:
        return moves.pause_executing(*at, active_ms=active_ms)
    return moves.park_for_window(*at, active_ms=active_ms, window=window)


def _move(fence: Fence, outcome: Outcome, active_ms: int, inbox: int, *, again: bool) -> Decision | None:
    at = (fence.run, fence.epoch, fence.worker)
    match outcome:
        case Succeeded(n, value):
            return moves.succeed(*at, n=n, result=value, active_ms=active_ms)
        case Restarted(n, text):
            return Restart(fence, n, text, active_ms)
        case Failed(n, reason, error, in_flight, stopped, cleanup):
            text = json.dumps(error)
            return moves.fail(
                *at,
                n=n,
                reason=reason,
                error=text,
                active_ms=active_ms,
                in_flight=in_flight,
                stopped=stopped,
                cleanup=cleanup,
            )
        case Canceled(_, in_flight, stopped, by, comment, reason, cleanup):
            return moves.cancel_executing(
                *at,
                active_ms=active_ms,
                in_flight=in_flight,
                stopped=stopped,
                by=by,
                comment=comment,
                reason=reason,
                cleanup=cleanup,
            )
        case Parked(_, verb, reason, opened, wake, behind_lock):
            park = moves.park(verb, *at, inbox=inbox, active_ms=active_ms, reason=reason, waits=opened, wake=wake)
            return Park(park, opened, again or behind_lock)
        case Paused(window):
            return _pause(fence, active_ms, window)
        case HandedBack(reason, in_flight):
            return moves.release(*at, verb=Verb.HAND_BACK, reason=Reason(reason), in_flight=in_flight, stopped="killed")
        case HostLost(in_flight, detail):
            lost = json.dumps({"code": Reason.CRASHED, "type": "HostLost", "message": detail, "step": in_flight})
            return moves.release(
                *at, verb=Verb.RECOVER, reason=Reason.HOST_LOST, error=lost, in_flight=in_flight, stopped="died"
            )
        case Dropped():
            return None
        case _:
            assert_never(outcome)
