"""The words by which runs are found again: tags, and metadata as key and value."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Label(SQLModel, table=True):
    __tablename__ = "label"
    __table_args__ = (
        CheckConstraint("kind IN ('tag', 'metadata')", name="label_kind_known"),
        Index("label_search", "tenant", "kind", "name", "value", text("run_id DESC")),
    )

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    kind: str = Field(sa_column=columns.key())
    name: str = Field(sa_column=columns.key())
    tenant: str = Field(sa_column=columns.words(null=False))
    value: str = Field("", sa_column=columns.words(null=False, default=""))
