"""An agent that a worker once served; it stays known when its workers leave."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Agent(SQLModel, table=True):
    __tablename__ = "agent"
    __table_args__ = (CheckConstraint("run_limit > 0", name="agent_limit_positive"),)

    name: str = Field(sa_column=columns.key())
    queue: str = Field(sa_column=columns.words(null=False))
    version: str = Field(sa_column=columns.words(null=False))
    description: str | None = Field(None, sa_column=columns.words())
    input_schema: Any = Field(None, sa_column=columns.json_text(null=False))
    timeout_ms: int | None = Field(None, sa_column=columns.large(default=None, null=True))
    paused: bool = Field(False, sa_column=columns.flag())
    run_limit: int | None = Field(None, sa_column=columns.count(default=None, null=True))
    window_name: str | None = Field(None, sa_column=columns.words())
    first_seen_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    last_seen_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
