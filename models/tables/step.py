"""A step that was recorded: its outcome is never executed again, only replayed.

An `abandoned` step is finished too: its own agent gave it up. `at_ms` is the moment at which an async agent saw it, by the run's
clock.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Step(SQLModel, table=True):
    __tablename__ = "step"
    __table_args__ = (
        CheckConstraint(
            "status IN ('succeeded', 'failed', 'retrying', 'intended', 'abandoned')", name="step_status_known"
        ),
        CheckConstraint("(status = 'succeeded') = (value IS NOT NULL)", name="step_succeeded_has_value"),
        CheckConstraint("status <> 'failed' OR error IS NOT NULL", name="step_failed_has_error"),
    )

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    key: str = Field(sa_column=columns.key())
    tenant: str = Field(sa_column=columns.words(null=False))
    seq: int = Field(sa_column=columns.count())
    name: str = Field(sa_column=columns.words(null=False))
    digest: str = Field(sa_column=columns.words(null=False))
    occurrence: int = Field(sa_column=columns.count())
    status: str = Field(sa_column=columns.words(null=False))
    attempts: int = Field(sa_column=columns.count())
    started_at: datetime | None = Field(None, sa_column=columns.moment())
    finished_at: datetime | None = Field(None, sa_column=columns.moment())
    duration_ms: int | None = Field(None, sa_column=columns.large(default=None, null=True))
    value: Any = Field(None, sa_column=columns.json_text())
    error: Any = Field(None, sa_column=columns.json_text())
    at_ms: float | None = Field(None, sa_column=columns.real(default=None, null=True))
