"""Causes that keep the slot of a run whose agent only waits, as its host said; of another epoch than the run's, out of date.

A table of its own: processes of an earlier version read whole rows of `run` by prepared statements, which a new column breaks.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tables import columns


class Held(SQLModel, table=True):
    __tablename__ = "held"

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    epoch: int = Field(sa_column=columns.count(default=None))
    what: Any = Field(None, sa_column=columns.json_text(null=False))
    since: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
