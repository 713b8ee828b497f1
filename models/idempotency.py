"""Which request made which runs, so that the same request answers with the same runs. Kept for 7 days."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models import columns


class Idempotency(SQLModel, table=True):
    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_age", "created_at"),)

    tenant: str = Field(sa_column=columns.key())
    key: str = Field(sa_column=columns.key())
    body_digest: str = Field(sa_column=columns.words(null=False))
    run_ids: list[UUID] = Field(default_factory=list, sa_column=columns.uuids())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
