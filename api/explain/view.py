"""Explanations as the API shows them."""

from typing import Any

from api.explain.explanation import Explanation
from api.shapes import ExplanationBody
from models.runs.public_event import timestamp


def shown(explanation: Explanation) -> ExplanationBody:
    """Return the body of an explanation; for an ended run only status and reason are of use."""
    run, worker = explanation.run, explanation.worker
    status: Any = run.status
    return {
        "runId": str(run.id),
        "at": timestamp(explanation.at) or "",
        "status": status,
        "pauseKind": run.pause_kind,
        "reason": run.reason,
        "executing": worker is not None,
        "since": timestamp(run.finished_at or (run.claimed_at if worker else None)),
        "worker": {"workerId": str(worker.id), "name": worker.name} if worker else None,
        "stepInFlight": run.step_in_flight if worker else None,
        "controlRequest": None if run.finished_at else run.control_request,
        "blockers": [blocker.shown() for blocker in explanation.blockers],
        "omitted": explanation.omitted,
    }
