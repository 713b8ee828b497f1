"""Reasons for the leading scheduler to check lines: a run that asks for or gives up places, or a queue with new limits.

Written in the transaction that causes the check and deleted in the one that answers it, so that none is lost.
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
