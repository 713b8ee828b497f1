"""Shows an explanation as the API does."""

from typing import Any

from api.explain.explanation import Explanation
from api.shapes import ExplanationBody
from models.runs.public_event import timestamp


def shown(explanation: Explanation) -> ExplanationBody:
    """Show it; of a run that has ended only its status and its reason say anything."""
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
