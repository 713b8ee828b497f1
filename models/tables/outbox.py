"""An effect on another run, written by the transaction that causes it and folded by the leading scheduler."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class Outbox(SQLModel, table=True):
    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_target", "target_run_id", "id"),)

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    target_run_id: UUID = Field(sa_column=columns.identity())
    effect: str = Field(sa_column=columns.words(null=False))
    data: Any = Field(None, sa_column=columns.json_text())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
