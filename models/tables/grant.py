"""An authorization that a person gave: encrypted at rest, handed to steps by reference.

`version` counts the tokens that it has had, so that a step that found one of them useless does not take back its successor.
`refreshable` says whether there is a refresh token among what is sealed. `token_url`, `client_id` and `revocation_url` are
the giver's at the consent: to these its tokens go back, whatever the provider of this name has become
(see `models.authorization.givers`).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class Grant(SQLModel, table=True):
    __tablename__ = "grant"
    __table_args__ = (
        Index("grant_holder", "tenant", "subject", "provider", unique=True),
        Index("grant_list", "tenant", "id"),
    )

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    subject: str = Field(sa_column=columns.words(null=False))
    provider: str = Field(sa_column=columns.words(null=False))
    scopes: list[str] = Field(default_factory=list, sa_column=columns.texts())
    token_url: str | None = Field(None, sa_column=columns.words())
    client_id: str | None = Field(None, sa_column=columns.words())
    revocation_url: str | None = Field(None, sa_column=columns.words())
    sealed: str = Field(sa_column=columns.words(null=False))
    version: int = Field(1, sa_column=columns.count(default=1))
    refreshable: bool = Field(False, sa_column=columns.flag())
    expires_at: datetime | None = Field(None, sa_column=columns.moment())
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    refreshed_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    revoked_at: datetime | None = Field(None, sa_column=columns.moment())
