"""Waits of a run. Each has an id of its own and exactly one outcome.

`epoch` is that of the newest park that waits for it: one that an agent continued without stays open, but wakes no run.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Wait(SQLModel, table=True):
    __tablename__ = "wait"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('approval', 'authorization', 'signal', 'timer', 'child', 'user', 'window', 'code')", name="wait_kind_known"
        ),
        CheckConstraint("(resolved_at IS NULL) = (outcome IS NULL)", name="wait_resolved_has_outcome"),
        Index("wait_one_open_per_key", "run_id", "key", unique=True, postgresql_where=text("resolved_at IS NULL")),
        Index("wait_run", "run_id"),
        Index("wait_timer", "due_at", postgresql_where=text("resolved_at IS NULL AND due_at IS NOT NULL")),
        Index("wait_inbox", "tenant", "kind", text("id DESC"), postgresql_where=text("resolved_at IS NULL")),
        Index("wait_decided", "tenant", text("id DESC"), postgresql_where=text("kind = 'approval' AND resolved_at IS NOT NULL")),
        Index(
            "wait_window", text("(request ->> 'window')"), postgresql_where=text("resolved_at IS NULL AND kind = 'window'")
        ),
        Index("wait_child", text("(answer ->> 'run')"), postgresql_where=text("kind = 'child' AND resolved_at IS NOT NULL")),
        Index("wait_grant", "grant_key", postgresql_where=text("resolved_at IS NULL AND grant_key IS NOT NULL")),
    )  # fmt: skip

    id: UUID = Field(sa_column=columns.identity(primary=True))
    run_id: UUID = Field(sa_column=columns.identity())
    tenant: str = Field(sa_column=columns.words(null=False))
    key: str = Field(sa_column=columns.words(null=False))
    kind: str = Field(sa_column=columns.words(null=False))
    wake: str = Field("all", sa_column=columns.words(null=False, default="all"))
    epoch: int = Field(0, sa_column=columns.count())
    nonce: str | None = Field(None, sa_column=columns.words())
    grant_key: str | None = Field(None, sa_column=columns.words())
    request: Any = Field(None, sa_column=columns.json_text())
    digest: str | None = Field(None, sa_column=columns.words())
    opened_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    due_at: datetime | None = Field(None, sa_column=columns.moment())
    on_due: str | None = Field(None, sa_column=columns.words())
    resolved_at: datetime | None = Field(None, sa_column=columns.moment())
    outcome: str | None = Field(None, sa_column=columns.words())
    answer: Any = Field(None, sa_column=columns.json_text())
    decided_by: str | None = Field(None, sa_column=columns.words())
    comment: str | None = Field(None, sa_column=columns.words())
