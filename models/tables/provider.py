"""An OAuth 2 provider that ops configured: where people authorize, and as whom this installation speaks to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class Provider(SQLModel, table=True):
    __tablename__ = "provider"
    __table_args__ = (
        CheckConstraint("client_auth IN ('basic', 'post', 'none')", name="provider_client_auth_known"),
        CheckConstraint("callback IN ('own', 'shared')", name="provider_callback_known"),
    )

    name: str = Field(sa_column=columns.key())
    authorize_url: str = Field(sa_column=columns.words(null=False))
    token_url: str = Field(sa_column=columns.words(null=False))
    revocation_url: str | None = Field(None, sa_column=columns.words())
    client_id: str = Field(sa_column=columns.words(null=False))
    client_auth: str = Field("basic", sa_column=columns.words(null=False, default="basic"))
    sealed_secret: str | None = Field(None, sa_column=columns.words())
    scopes: list[str] = Field(default_factory=list, sa_column=columns.texts())
    parameters: Any = Field(None, sa_column=columns.json_text())
    issuer: str | None = Field(None, sa_column=columns.words())
    # A process of before that introduces one knows the shared address alone.
    callback: str = Field("own", sa_column=columns.words(null=False, default="shared"))
    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    updated_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
