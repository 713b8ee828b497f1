"""Input, result and error of a run: each written once, apart from the row that moves."""

from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tables import columns


class Payload(SQLModel, table=True):
    __tablename__ = "payload"

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    input: Any = Field(None, sa_column=columns.json_text(null=False))
    result: Any = Field(None, sa_column=columns.json_text())
    error: Any = Field(None, sa_column=columns.json_text())
