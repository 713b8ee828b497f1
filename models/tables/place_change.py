"""What the leading scheduler has to look at in the lines: a run that asks for places or gave them up, a queue with new limits.

Written in the transaction that causes it and deleted in the one that draws its consequences, so that none is lost.
"""

from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class PlaceChange(SQLModel, table=True):
    __tablename__ = "place_change"
    __table_args__ = (CheckConstraint("(run_id IS NULL) <> (queue IS NULL)", name="place_change_of_one"),)

    id: int | None = Field(None, sa_column=columns.numbered())
    run_id: UUID | None = Field(None, sa_column=columns.identity(null=True))
    queue: str | None = Field(None, sa_column=columns.words())
