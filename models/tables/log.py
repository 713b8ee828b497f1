"""Log lines of an agent: its log calls, and what its process wrote to stdout and stderr. Bounded per run."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tables import columns


class Log(SQLModel, table=True):
    __tablename__ = "log"

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    n: int = Field(primary_key=True)
    tenant: str = Field(sa_column=columns.words(null=False))
    at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    source: str = Field(sa_column=columns.words(null=False))
    level: str = Field(sa_column=columns.words(null=False))
    step: str | None = Field(None, sa_column=columns.words())
    attempt: int | None = Field(None, sa_column=columns.count(default=None, null=True))
    message: str = Field(sa_column=columns.words(null=False))
