"""Calls of every function of the law that writes a run, so that tests name the function and not its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol, get_origin
from uuid import UUID

from models import control_requests, moves
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.promotion import tickets
from models.promotion.claim import Claim
from models.runs import holding, recording
from models.runs.recording import Fence, Limits, LogLine, StepRecord
from models.statement import Statement
from tests.postgres.factory import AGENT, TENANT, Made

LIMITS = Limits(steps=100, recorded_bytes=10_000)
ERROR = '{"code": "step_error", "message": "no"}'


class Call(Protocol):
    def __call__(self, made: Made, /) -> Statement[Any]: ...


def record(key: str = "a##1", status: str = "succeeded", **fields: object) -> StepRecord:
    """Return a step record; add a value or an error if the status needs one."""
    step = StepRecord(key=key, name="a", digest="", occurrence=1, status=status, attempts=1, duration_ms=3)
    told = {
        "value": "1" if status == "succeeded" else None,
        "error": ERROR if status in ("failed", "retrying") else None,
    }
    return replace(step, **{**told, **fields})  # type: ignore[arg-type]  # set by the tests


def fence(made: Made) -> Fence:
    return Fence(made.id, made.epoch, made.worker)


def claim(made: Made) -> Statement[Claim]:
    return moves.claim(
        made.id, made.epoch, made.worker, label="w1", versions=f'{{"{AGENT}": "v1"}}', served=[AGENT, "other"]
    )


def _park(verb: Verb) -> Call:
    def call(made: Made, /) -> Statement:
        return moves.park(verb, made.id, made.epoch, made.worker, inbox=0, active_ms=5, reason=Reason.WAITING)

    return call


def _release(verb: Verb, reason: Reason) -> Call:
    return lambda made: moves.release(made.id, made.epoch, made.worker, verb=verb, reason=reason, error=ERROR)


# The moves: one entry for each verb that a function can make.
MOVES: dict[str, Call] = {
    "claim": claim,
    "succeed": lambda m: moves.succeed(m.id, m.epoch, m.worker, n=9, result='{"x": 1}', active_ms=5),
    "restart": lambda m: moves.restart(m.id, m.epoch, m.worker, n=9, active_ms=5, successor=new_id()),
    "fail": lambda m: moves.fail(m.id, m.epoch, m.worker, n=9, reason="step_error", error=ERROR, active_ms=5),
    "cancel_executing": lambda m: moves.cancel_executing(
        m.id, m.epoch, m.worker, active_ms=5, in_flight="a##1", stopped="interrupted", by="ann"
    ),
    "release:recover": _release(Verb.RECOVER, Reason.HOST_LOST),
    "release:hand_back": _release(Verb.HAND_BACK, Reason.DRAINED),
    "cancel_idle": lambda m: moves.cancel_idle(m.id, TENANT, reason=Reason.BY_USER, by="ann", comment=None),
    "cancel_overdue": lambda m: moves.cancel_overdue(m.id, in_flight="a##1"),
    "fail_idle": lambda m: moves.fail_idle(m.id, reason=Reason.EXPIRED, error=ERROR),
    "expire": lambda m: moves.expire(m.id, error=ERROR),
    "park:require_authorization": _park(Verb.REQUIRE_AUTHORIZATION),
    "park:await_approval": _park(Verb.AWAIT_APPROVAL),
    "park:pause_by_agent": _park(Verb.PAUSE_BY_AGENT),
    "park_for_window": lambda m: moves.park_for_window(m.id, m.epoch, m.worker, active_ms=5, window="night"),
    "pause_executing": lambda m: moves.pause_executing(m.id, m.epoch, m.worker, active_ms=5),
    "pause_idle": lambda m: moves.pause_idle(m.id),
    "resume": lambda m: moves.resume(m.id, reason=Reason.APPROVED),
}
# Changes of the row without a verb: tickets, requests, records.
RECORDS: dict[str, Call] = {
    "step": lambda m: recording.step(fence(m), 1, record(), LIMITS, None),
    "event": lambda m: recording.event(fence(m), 1, "agent", '{"type": "x"}', None),
    "in_flight": lambda m: recording.in_flight(fence(m), "a##1"),
    "log": lambda m: recording.log(fence(m), [LogLine("agent", "info", "hello")]),
    "abandoned": lambda m: recording.abandoned(fence(m), 1, record(status="abandoned", at_ms=4.5), LIMITS, None),
    "held": lambda m: holding.held(fence(m), [{"kind": "timer", "what": "a timer of 1 s", "file": "a.py", "line": 3}]),
}
TICKETS: dict[str, Call] = {
    "promote": lambda m: tickets.promote([m.id]),
    "decline": lambda m: tickets.decline(m.id, m.epoch, draining=False),
    "request_cancel": lambda m: control_requests.request_cancel(m.id, TENANT, by="ann", comment=None, grace_ms=5000),
    "request_pause": lambda m: control_requests.request_pause(m.id, by="ann", comment=None),
    "take_pause_back": lambda m: control_requests.take_pause_back(m.id),
}
# These concern a whole queue; they have tests of their own.
APART = {"republish", "lift", "next_lift", "withdraw", "ask_for_windows", "take_windows_back"}


READS = {"claimed", "fenced", "missing_functions"}
"""These read what a worker may not know or lacks, and change nothing."""


def functions(module: ModuleType) -> dict[str, Callable[..., Statement]]:
    """Return every public function that the module itself defines and that makes a statement which writes."""
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and name not in READS
        and function.__module__ == module.__name__
        and _makes_a_statement(function)
    }


def _makes_a_statement(function: Callable[..., Any]) -> bool:
    given = inspect.signature(function, eval_str=True).return_annotation
    return Statement in (given, get_origin(given))


def takes_an_epoch(function: Callable[..., Statement]) -> bool:
    """Return whether the function has the right of an activation among its parameters."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return any(parameter.name == "epoch" or parameter.annotation is Fence for parameter in parameters)


def late(made: Made) -> Made:
    """Return the same run as an earlier activation sees it."""
    return replace(made, epoch=made.epoch - 1)


def foreign(made: Made, worker: UUID) -> Made:
    """Return the same run as another worker sees it."""
    return replace(made, worker=worker)
