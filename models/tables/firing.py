"""Firing of a schedule at a time, with its outcome: at most one row for each schedule and time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Firing(SQLModel, table=True):
    __tablename__ = "firing"
    __table_args__ = (
        CheckConstraint("outcome IN ('fired', 'skipped', 'by_hand')", name="firing_outcome_known"),
        CheckConstraint("(outcome = 'skipped') = (run_id IS NULL)", name="firing_made_a_run_or_not"),
    )

    tenant: str = Field(sa_column=columns.key())
    schedule: str = Field(sa_column=columns.key())
    at: datetime = Field(sa_column=columns.moment_key())
    outcome: str = Field(sa_column=columns.words(null=False))
    run_id: UUID | None = Field(None, sa_column=columns.identity(null=True))
    noted_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
