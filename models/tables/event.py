"""One thing that happened to a run, in its order: the source of streams, webhooks and the event log.

An event never holds an input or a result; these are joined when it is delivered.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tables import columns


class Event(SQLModel, table=True):
    __tablename__ = "event"

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    seq: int = Field(primary_key=True)
    tenant: str = Field(sa_column=columns.words(null=False))
    at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    type: str = Field(sa_column=columns.words(null=False))
    verb: str | None = Field(None, sa_column=columns.words())
    status: str = Field(sa_column=columns.words(null=False))
    status_was: str | None = Field(None, sa_column=columns.words())
    reason: str | None = Field(None, sa_column=columns.words())
    data: Any = Field(None, sa_column=columns.json_text())
