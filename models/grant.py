"""An authorization that a person gave: encrypted at rest, handed to steps by reference."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models import columns


class Grant(SQLModel, table=True):
    __tablename__ = "grant"
    __table_args__ = (Index("grant_holder", "tenant", "subject", "provider", unique=True),)

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    subject: str = Field(sa_column=columns.words(null=False))
    provider: str = Field(sa_column=columns.words(null=False))
    scopes: list[str] = Field(default_factory=list, sa_column=columns.texts())
    sealed: str = Field(sa_column=columns.words(null=False))
    expires_at: datetime | None = Field(None, sa_column=columns.moment())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    revoked_at: datetime | None = Field(None, sa_column=columns.moment())
