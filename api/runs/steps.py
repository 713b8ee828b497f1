"""A run's finished steps, which never change. Attempts and steps in flight appear in the events only."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Text, null
from sqlalchemy import cast as as_type
from sqlmodel import Session, col, select

from api.http.responses import as_stored
from api.shapes import StepBody
from models.runs.public_event import timestamp
from models.tables.step import Step

# Steps that a retry copied have positions at or below zero, so cursors count from far below.
_FIRST = 1 << 30
_FINISHED = ("succeeded", "failed", "abandoned")
_COLUMNS = (
    Step.seq, Step.key, Step.name, Step.status, Step.attempts, Step.started_at, Step.finished_at, Step.duration_ms,
)  # fmt: skip


def newest_steps(session: Session, run: UUID, count: int, *, outputs: bool) -> list[StepBody]:
    """Return the newest finished steps, oldest first."""
    rows = session.exec(_steps(run, outputs).order_by(col(Step.seq).desc()).limit(count))
    return [_step(row, outputs) for row in rows.mappings()][::-1]


def steps_after(session: Session, run: UUID, after: int, limit: int, *, outputs: bool) -> list[tuple[int, StepBody]]:
    """Return the finished steps after a position, oldest first, each with its own position."""
    rows = session.exec(_steps(run, outputs).where(col(Step.seq) > after - _FIRST).order_by(col(Step.seq)).limit(limit))
    return [(row["seq"] + _FIRST, _step(row, outputs)) for row in rows.mappings()]


def _steps(run: UUID, outputs: bool) -> Any:
    value = as_type(col(Step.value), Text) if outputs else null()
    wanted: Any = select(*_COLUMNS, value.label("output"))  # type: ignore[call-overload]  # typed for four columns at most
    return wanted.where(col(Step.run_id) == run, col(Step.status).in_(_FINISHED))


def _step(row: Mapping[str, Any], outputs: bool) -> StepBody:
    step: StepBody = {
        "key": row["key"],
        "name": row["name"],
        "status": cast("Any", row["status"]),
        "attempts": row["attempts"],
        "startedAt": timestamp(row["started_at"]),
        "finishedAt": timestamp(row["finished_at"]),
        "durationMs": row["duration_ms"],
    }
    if outputs:
        step["output"] = as_stored(row["output"])
    return step
