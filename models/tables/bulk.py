"""An operation on many runs: its filter, its caller, and its progress. Kept for 30 days after its end.

It goes through the tenant's runs in the order of their ids, up to `until`, the newest at the time of the call. Everything up to
`reached` is done, except for the few runs in `behind`, which another transaction had locked.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Bulk(SQLModel, table=True):
    __tablename__ = "bulk"
    __table_args__ = (
        CheckConstraint("action IN ('cancel', 'pause', 'resume', 'retry')", name="bulk_action_known"),
        Index("bulk_open", "id", postgresql_where=text("finished_at IS NULL")),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    action: str = Field(sa_column=columns.words(null=False))
    filter: Any = Field(None, sa_column=columns.json_text(null=False))
    by: str = Field(sa_column=columns.words(null=False))
    created_by: UUID = Field(sa_column=columns.identity())
    matched: int = Field(0, sa_column=columns.large())
    counted_all: bool = Field(True, sa_column=columns.flag(default=True))
    done: int = Field(0, sa_column=columns.large())
    skipped: int = Field(0, sa_column=columns.large())
    failed: int = Field(0, sa_column=columns.large())
    reached: UUID = Field(sa_column=columns.identity())
    until: UUID = Field(sa_column=columns.identity())
    behind: list[UUID] = Field(default_factory=list, sa_column=columns.uuids())
    version: int = Field(0, sa_column=columns.count())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    finished_at: datetime | None = Field(None, sa_column=columns.moment())
