"""A queue: what its workers may be given at all. Made by the first worker that registers for it, or by ops."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Queue(SQLModel, table=True):
    __tablename__ = "queue"
    __table_args__ = (
        CheckConstraint("run_limit > 0 AND tenant_limit > 0 AND key_limit > 0", name="queue_limits_positive"),
    )

    name: str = Field(sa_column=columns.key())
    paused: bool = Field(False, sa_column=columns.flag())
    cordoned: bool = Field(False, sa_column=columns.flag())
    run_limit: int | None = Field(None, sa_column=columns.count(default=None, null=True))
    tenant_limit: int | None = Field(None, sa_column=columns.count(default=None, null=True))
    key_limit: int = Field(1, sa_column=columns.count(default=1))
    window_name: str | None = Field(None, sa_column=columns.words())
    rate: Any = Field(None, sa_column=columns.json_text())
    weights: Any = Field(None, sa_column=columns.json_text())
    hold_keys: bool = Field(False, sa_column=columns.flag())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
