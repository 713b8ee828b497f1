"""One example for each shape that needs one in the OpenAPI document."""

from typing import Any

_STEP = {
    "key": "classify#5d41402abc4b2a76#1",
    "name": "classify",
    "status": "succeeded",
    "attempts": 1,
    "startedAt": "2026-03-01T09:30:00.310Z",
    "finishedAt": "2026-03-01T09:30:00.325Z",
    "durationMs": 15,
}
_SUMMARY: dict[str, Any] = {
    "runId": "019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80",
    "status": "SUCCESS",
    "executionStatus": "completed",
    "category": "terminal",
    "executing": False,
    "agent": "license_audit",
    "agentVersion": "9f86d081884c7d65",
    "error": None,
    "reason": None,
    "pause": None,
    "stepsTotal": 1,
    "stepInFlight": None,
    "controlRequest": None,
    "queue": "default",
    "priority": 0,
    "window": None,
    "concurrencyKey": None,
    "userId": None,
    "metadata": {"team": "platform"},
    "tags": ["nightly"],
    "activations": 1,
    "crashes": 0,
    "losses": 0,
    "activeMs": 412,
    "parentRunId": None,
    "retryOf": None,
    "continuedAs": None,
    "createdAt": "2026-03-01T09:30:00.125Z",
    "readyAt": None,
    "promotedAt": "2026-03-01T09:30:00.131Z",
    "startedAt": "2026-03-01T09:30:00.139Z",
    "finishedAt": "2026-03-01T09:30:00.551Z",
    "updatedAt": "2026-03-01T09:30:00.551Z",
}
_EVENT = {
    "seq": 2,
    "event": "start",
    "runId": "019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80",
    "runStatus": "RUNNING",
    "timestamp": "2026-03-01T09:30:00.139Z",
}

SHOWN: dict[str, Any] = {
    "RunSummary": _SUMMARY,
    "RunBody": {**_SUMMARY, "input": {}, "result": {"packages": 1}, "stepsFinished": [_STEP]},
    "StepBody": _STEP,
    "EventBody": _EVENT,
}
