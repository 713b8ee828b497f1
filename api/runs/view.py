"""Runs as the API shows them: every member is present, and null if it has no value."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy import cast as sql_cast
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.http.responses import as_stored
from api.runs.waits_view import open_waits, pauses
from api.shapes import PauseBody, RunSummary, RunTimes, WaitBody
from models.lifecycle import TERMINAL, PauseKind, State, Status, category, execution_status
from models.runs.enqueue import NewRun
from models.runs.public_event import timestamp
from models.tables.label import Label
from models.tables.payload import Payload
from models.tables.run import Run


@dataclass
class Labels:
    """The tags and the metadata of one run."""

    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def labels_of(session: Session, runs: Sequence[UUID]) -> Mapping[UUID, Labels]:
    """Return the labels of several runs, read with one statement."""
    found: dict[UUID, Labels] = defaultdict(Labels)
    for label in session.exec(select(Label).where(col(Label.run_id).in_(runs)).order_by(col(Label.name))):
        if label.kind == "tag":
            found[label.run_id].tags.append(label.name)
        else:
            found[label.run_id].metadata[label.name] = label.value
    return found


def _errors_of(session: Session, runs: Sequence[Run]) -> Mapping[UUID, str]:
    failed = [run.id for run in runs if run.status == Status.FAILED]
    if not failed:
        return {}
    wanted = select(Payload.run_id, sql_cast(col(Payload.error), Text)).where(col(Payload.run_id).in_(failed))
    return dict(session.exec(wanted).all())


def summaries(session: Session, runs: Sequence[Run], caller: Caller) -> list[RunSummary]:
    """Return runs as lists show them to the caller, in the given order."""
    ids = [run.id for run in runs]
    labels, errors, parked = labels_of(session, ids), _errors_of(session, runs), pauses(session, runs, caller)
    waits = open_waits(session, runs, caller)
    return [
        summary(run, labels.get(run.id, Labels()), errors.get(run.id), parked.get(run.id), waits.get(run.id, ()))
        for run in runs
    ]


def summary_as_stored(tenant: str, made: NewRun, at: datetime | None) -> RunSummary:
    """Return a new run as it was stored at that moment, without reading it back."""
    columns: dict[str, Any] = {
        "id": made.id, "tenant": tenant, "agent": made.agent, "queue": made.queue, "window_name": made.window or "",
        "priority": made.priority, "user_id": made.user_id, "timeout_ms": made.timeout_ms,
        "concurrency_key": made.concurrency_key, "on_conflict": made.on_conflict, "not_before": made.not_before,
        "expires_at": at and made.expires_in_ms and at + timedelta(milliseconds=made.expires_in_ms),
        "created_at": at, "ready_at": at, "updated_at": at,
    }  # fmt: skip
    row = Run(**columns)
    return summary(row, Labels(sorted(set(made.tags)), dict(sorted(made.metadata.items()))), None, None)


def state_of(run: Run) -> State:
    """Return the lifecycle state of the row."""
    return State(Status(run.status), PauseKind(run.pause_kind) if run.pause_kind else None)


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def summary(
    run: Run, labels: Labels, error: str | None, pause: PauseBody | None, waits: Sequence[WaitBody] = ()
) -> RunSummary:
    """Return one run without its large members."""
    state = state_of(run)
    executing = run.lease_worker is not None
    return {
        "runId": str(run.id),
        "status": cast("Any", run.status),
        "executionStatus": execution_status(state),
        "category": cast("Any", category(state)),
        "executing": executing,
        "agent": run.agent,
        "agentVersion": run.agent_version,
        "error": cast("Any", as_stored(error)),
        "reason": run.reason,
        "pause": pause,
        "openWaits": list(waits),
        "stepsTotal": run.step_count,
        "stepInFlight": run.step_in_flight if executing else None,
        "controlRequest": None if state.status in TERMINAL else run.control_request,
        "queue": run.queue,
        "priority": run.priority,
        "window": run.window_name or None,
        "concurrencyKey": run.concurrency_key,
        "onConflict": cast("Any", run.on_conflict) if run.concurrency_key else None,
        "userId": run.user_id,
        "metadata": labels.metadata,
        "tags": labels.tags,
        "activations": run.activations,
        "crashes": run.crashes,
        "losses": run.losses,
        "activeMs": run.active_ms,
        "parentRunId": _id(run.parent_run_id),
        "retryOf": _id(run.retry_of),
        "continuedAs": _id(run.continued_as),
        **_times(run),
    }


def _times(run: Run) -> RunTimes:
    return {
        "notBefore": timestamp(run.not_before),
        "expiresAt": timestamp(run.expires_at),
        "createdAt": timestamp(run.created_at),
        "readyAt": timestamp(run.ready_at),
        "promotedAt": timestamp(run.promoted_at),
        "startedAt": timestamp(run.started_at),
        "finishedAt": timestamp(run.finished_at),
        "updatedAt": timestamp(run.updated_at),
    }
