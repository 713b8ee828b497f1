"""A recurring run: when it fires, with what, and what happens when firings overlap or were missed.

`request` holds what was asked for as it was given, and made ready to be enqueued. `open_runs` are the runs that had not ended
when it last fired, oldest first.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Schedule(SQLModel, table=True):
    __tablename__ = "schedule"
    __table_args__ = (
        CheckConstraint("overlap IN ('skip', 'queue')", name="schedule_overlap_known"),
        CheckConstraint("catch_up IN ('none', 'last')", name="schedule_catch_up_known"),
        Index("schedule_next", "next_at", postgresql_where=text("NOT paused")),
    )

    tenant: str = Field(sa_column=columns.key())
    name: str = Field(sa_column=columns.key())
    cron: str = Field(sa_column=columns.words(null=False))
    timezone: str = Field(sa_column=columns.words(null=False))
    agent: str = Field(sa_column=columns.words(null=False))
    request: Any = Field(None, sa_column=columns.json_text(null=False))
    overlap: str = Field("skip", sa_column=columns.words(null=False, default="skip"))
    catch_up: str = Field("none", sa_column=columns.words(null=False, default="none"))
    paused: bool = Field(False, sa_column=columns.flag())
    open_runs: list[UUID] = Field(default_factory=list, sa_column=columns.uuids())
    created_by: UUID | None = Field(None, sa_column=columns.identity(null=True))
    next_at: datetime | None = Field(None, sa_column=columns.moment())
    last_at: datetime | None = Field(None, sa_column=columns.moment())
