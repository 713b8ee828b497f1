"""Changes of a window by people: who changed, overrode or deleted it, when, and why. Kept when the window is gone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class WindowChange(SQLModel, table=True):
    __tablename__ = "window_change"
    __table_args__ = (
        CheckConstraint(
            "change IN ('put', 'deleted', 'override', 'override_ended')", name="window_change_known"
        ),
        Index("window_change_newest", "window_name", text("id DESC")),
    )  # fmt: skip

    id: UUID = Field(sa_column=columns.identity(primary=True))
    window_name: str = Field(sa_column=columns.words(null=False))
    at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    by: str = Field(sa_column=columns.words(null=False))
    change: str = Field(sa_column=columns.words(null=False))
    data: Any = Field(None, sa_column=columns.json_text())
