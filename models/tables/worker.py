"""A worker process: its slots, and the one lease under which it owns all its runs.

`lease_until` is in no index: an index on it would make every renewal a non-HOT update.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Worker(SQLModel, table=True):
    __tablename__ = "worker"
    __table_args__ = (
        CheckConstraint("slots >= 0", name="worker_slots_not_negative"),
        Index("worker_alive", "queue", postgresql_where=text("dead_at IS NULL")),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: UUID = Field(sa_column=columns.identity(primary=True))
    name: str = Field(sa_column=columns.words(null=False))
    host: str = Field(sa_column=columns.words(null=False))
    pid: int = Field(sa_column=columns.count(default=None))
    queue: str = Field(sa_column=columns.words(null=False))
    slots: int = Field(0, sa_column=columns.count())
    agents: list[str] = Field(default_factory=list, sa_column=columns.texts())
    draining: bool = Field(False, sa_column=columns.flag())
    liveness_key: int = Field(sa_column=columns.large(default=None))
    lease_until: datetime = Field(sa_column=columns.moment(null=False))
    consuming_at: datetime | None = Field(None, sa_column=columns.moment())
    started_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    records: int = Field(1, sa_column=columns.small(default=1))
    dead_at: datetime | None = Field(None, sa_column=columns.moment())
