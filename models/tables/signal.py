"""A durable message to a run; kept until a wait consumes it, also when it came first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Signal(SQLModel, table=True):
    __tablename__ = "signal"
    __table_args__ = (
        Index("signal_unconsumed", "run_id", "name", "id", postgresql_where=text("consumed_by IS NULL")),
        Index(
            "signal_once", "run_id", "name", "sender_id", unique=True, postgresql_where=text("sender_id IS NOT NULL")
        ),
        Index("signal_run", "run_id"),
        Index(
            "signal_child",
            "sender_id",
            postgresql_where=text("starts_with(name, 'taxiway.child/') AND consumed_by IS NULL"),
        ),
    )

    id: UUID = Field(sa_column=columns.identity(primary=True))
    run_id: UUID = Field(sa_column=columns.identity())
    tenant: str = Field(sa_column=columns.words(null=False))
    name: str = Field(sa_column=columns.words(null=False))
    sender_id: str | None = Field(None, sa_column=columns.words())
    payload: Any = Field(None, sa_column=columns.json_text())
    consumed_by: UUID | None = Field(None, sa_column=columns.identity(null=True))
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
