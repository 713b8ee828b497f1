"""A subscriber of a tenant's events by HTTP. Reserved: no code writes this table yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class Webhook(SQLModel, table=True):
    __tablename__ = "webhook"
    __table_args__ = (Index("webhook_tenant", "tenant"),)

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    url: str = Field(sa_column=columns.words(null=False))
    sealed_secret: str = Field(sa_column=columns.words(null=False))
    types: list[str] = Field(default_factory=list, sa_column=columns.texts())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    disabled_at: datetime | None = Field(None, sa_column=columns.moment())
