"""A key of the API: stored as a hash, with the tenant it speaks for and what it may do."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class ApiKey(SQLModel, table=True):
    __tablename__ = "api_key"
    __table_args__ = (Index("api_key_hash", "hash", unique=True),)

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    name: str = Field(sa_column=columns.words(null=False))
    hash: str = Field(sa_column=columns.words(null=False))
    scopes: list[str] = Field(default_factory=list, sa_column=columns.texts())
    roles: list[str] = Field(default_factory=list, sa_column=columns.texts())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    revoked_at: datetime | None = Field(None, sa_column=columns.moment())
