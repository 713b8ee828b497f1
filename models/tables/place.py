"""A place that a run holds in a line: the runs of one concurrency key, or those of one tenant in a queue that limits them.

A run takes its places before it may be promoted and keeps them until it ends or parks. Only the leading scheduler writes here.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class Place(SQLModel, table=True):
    __tablename__ = "place"
    __table_args__ = (Index("place_run", "run_id"),)

    line: str = Field(sa_column=columns.key())
    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    since: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
