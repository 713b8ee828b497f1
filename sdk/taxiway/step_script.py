"""The script of one step, from its call to its value: replay, attempts, records, back-off.

`step_script` is a generator that performs nothing itself: it yields `commands`. Their player is the main thread for `def` agents
and the event loop for `async def` ones, so that the rules are written once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from taxiway.authorizations import Grant
from taxiway.callers import definition_hint
from taxiway.codec import record, replay
from taxiway.commands import (
    LIVE,
    Attempt,
    Await,
    Command,
    Commit,
    Execute,
    Recall,
    Renew,
    Script,
    Seen,
    Sleep,
    StepCall,
    Tell,
)
from taxiway.encode import json_of as json_text
from taxiway.errors import (
    INVALID_OUTPUT,
    ONCE_UNKNOWN,
    OUTPUT_TOO_LARGE,
    STEP_ERROR,
    TIMEOUT,
    AuthorizationLost,
    Halt,
    InvalidValue,
    NotRecorded,
    StepFailed,
)
from taxiway.frames import Kind
from taxiway.ledger import Recorded, Status, StepError
from taxiway.shape_names import annotated
from taxiway.storable_text import message_of, report_of


@dataclass(frozen=True)
class _Failure:
    error: StepError
    retry_in: float | None
    report: str | None


def step_script(call: StepCall, past: Recorded | None, max_value_bytes: int) -> Script:
    """Return the value of a step, from its record or by attempts; raise StepFailed, or Halt for an unknown outcome."""
    match past:
        case None:
            if call.approval is not None:
                yield Await(call.approval)
            yield LIVE
            attempt = 1
        case Recorded(status=Status.SUCCEEDED):
            yield Seen(call.key)
            text = (yield Recall(call.key)) if past.large else past.value
            return _replayed(call, past, text)
        case Recorded(status=Status.FAILED | Status.ABANDONED):
            yield Seen(call.key)
            raise _step_failed(call, past.attempts, past.error or StepError("Exception", "", STEP_ERROR))
        case Recorded(status=Status.INTENDED):
            yield LIVE
            raise Halt(ONCE_UNKNOWN, "an earlier attempt was begun, and its outcome is unknown", call.name)
        case Recorded() if past.attempts >= call.plan.retry.attempts:
            # The worker killed the last attempt, and could not know that it was the last.
            yield LIVE
            yield from _give_up(call, past)
        case Recorded():
            attempt = past.attempts + 1
            yield LIVE
            yield Sleep(call, attempt, 0)  # a back-off for which the run was parked may still be open
    if call.renewed is not None:
        yield Await(call.renewed)  # it is resolved; a denial or a timeout is raised here
    return (yield from _attempts(call, attempt, max_value_bytes))


def _attempts(call: StepCall, attempt: int, max_value_bytes: int) -> Script:
    while True:
        yield _started(call, attempt)
        begun = time.monotonic()
        outcome: Attempt = yield Execute(call, attempt)
        fields = {**call.identity(), "attempts": attempt, "durationMs": round((time.monotonic() - begun) * 1000)}
        if call.approval is not None:
            fields["approval"] = "APPROVED"
        if call.cleans_up:
            fields["cleanup"] = True
        if (
            isinstance(outcome.error, AuthorizationLost)
            and isinstance(outcome.error.grant, Grant)
            and not outcome.timed_out
        ):
            yield from _renew(call, fields, outcome.error)
            continue
        result = _judge(call, attempt, outcome, max_value_bytes)
        if isinstance(result, _Failure):
            failure = result
        else:
            text, value = result
            try:
                yield Commit(Kind.STEP, {**fields, "value": text})
            except NotRecorded as refusal:
                failure = _Failure(StepError("NotRecorded", str(refusal), refusal.code), None, None)
            else:
                return value
        yield from record_failure(call.name, fields, failure.error, failure.retry_in)
        if failure.retry_in is None:
            raise _step_failed(call, attempt, failure.error, failure.report)
        attempt += 1
        yield Sleep(call, attempt, failure.retry_in)


def _renew(call: StepCall, fields: dict[str, Any], lost: AuthorizationLost) -> Script:
    """Record the attempt as one that does not count; then wait for a new authorization."""
    error = StepError(type(lost).__name__, message_of(lost), STEP_ERROR)
    yield from record_failure(call.name, {**fields, "attempts": fields["attempts"] - 1}, error, 0.0)
    yield Renew(call, lost.grant)


def _give_up(call: StepCall, past: Recorded) -> Script:
    error = past.error or StepError("Exception", "", STEP_ERROR)
    fields = {**call.identity(), "attempts": past.attempts, "durationMs": 0}
    yield from record_failure(call.name, fields, error)
    raise _step_failed(call, past.attempts, error)


def _started(call: StepCall, attempt: int) -> Command:
    timeout_ms = None if call.plan.timeout is None else round(call.plan.timeout * 1000)
    fields = {**call.identity(), "attempt": attempt, "timeoutMs": timeout_ms, "once": call.plan.once}
    # The intent of a once-only step must be on record before the step begins: it must never begin twice.
    return Commit(Kind.STEP_STARTED, fields) if call.plan.once else Tell(Kind.STEP_STARTED, fields)


def _judge(call: StepCall, attempt: int, outcome: Attempt, max_value_bytes: int) -> _Failure | tuple[str, Any]:
    """Return the text to record and the value for the agent, or the failure."""
    if outcome.timed_out:
        return _timed_out(call, attempt)
    if outcome.error is not None:
        error = StepError(type(outcome.error).__name__, message_of(outcome.error), STEP_ERROR)
        return _Failure(error, call.plan.retry.delay_after(attempt, outcome.error), report_of(outcome.error))
    try:
        text, value = record(call.plan.shape, outcome.value, json_text)
    except InvalidValue as problem:
        message = f"step {call.name!r}{annotated(call.plan.shape)} returned {problem}{definition_hint(call.function)}"
        return _Failure(StepError("InvalidValue", message, INVALID_OUTPUT), None, None)
    if (size := len(text.encode())) > max_value_bytes:
        sizes = f"{size:,} bytes of JSON, {max_value_bytes:,} are allowed"
        message = f"step {call.name!r} returned {sizes}{definition_hint(call.function)}"
        return _Failure(StepError("ValueTooLarge", message, OUTPUT_TOO_LARGE), None, None)
    return text, value


def _timed_out(call: StepCall, attempt: int) -> _Failure:
    error = TimeoutError(f"took longer than {call.plan.timeout:g} s")
    # The effect of an interrupted once-only step is as unknown as after a kill: no retry.
    delay = None if call.plan.once else call.plan.retry.delay_after(attempt, error)
    return _Failure(StepError("TimeoutError", str(error), TIMEOUT), delay, None)


def record_failure(name: str, fields: dict[str, Any], error: StepError, retry_in: float | None = None) -> Script:
    """Record a failed attempt: the last one if `retry_in`, the seconds until the next, is None."""
    final, retry_in_ms = retry_in is None, None if retry_in is None else round(retry_in * 1000)
    try:
        yield Commit(Kind.STEP_FAILED, {**fields, "error": error.as_frame(), "final": final, "retryInMs": retry_in_ms})
    except NotRecorded as refusal:  # a run whose history is full cannot continue
        raise Halt(refusal.code, str(refusal), name) from refusal


def _replayed(call: StepCall, past: Recorded, text: str | None) -> Any:
    try:
        return replay(call.plan.shape, text or "null")
    except InvalidValue as problem:
        message = f"the record of step {call.name!r} no longer fits its return type: {problem}{definition_hint(call.function)}"
        raise StepFailed(call.name, past.attempts, "InvalidValue", message, INVALID_OUTPUT) from None


def _step_failed(call: StepCall, attempts: int, error: StepError, report: str | None = None) -> StepFailed:
    failed = StepFailed(call.name, attempts, error.type, error.message, error.code)
    failed.report = report
    return failed
