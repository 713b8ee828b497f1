"""A recurring time in which runs may, or may not, be promoted."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Window(SQLModel, table=True):
    __tablename__ = "window"
    __table_args__ = (
        CheckConstraint("kind IN ('window', 'blackout')", name="window_kind_known"),
        CheckConstraint("on_close IN ('finish', 'pause')", name="window_on_close_known"),
        CheckConstraint("override IN ('open', 'closed')", name="window_override_known"),
        CheckConstraint("(override IS NULL) = (override_until IS NULL)", name="window_override_ends"),
    )

    name: str = Field(sa_column=columns.key())
    cron: str = Field(sa_column=columns.words(null=False))
    duration_ms: int = Field(sa_column=columns.large(default=None))
    timezone: str = Field(sa_column=columns.words(null=False))
    kind: str = Field("window", sa_column=columns.words(null=False, default="window"))
    on_close: str = Field("finish", sa_column=columns.words(null=False, default="finish"))
    override: str | None = Field(None, sa_column=columns.words())
    override_by: str | None = Field(None, sa_column=columns.words())
    override_reason: str | None = Field(None, sa_column=columns.words())
    override_until: datetime | None = Field(None, sa_column=columns.moment())
