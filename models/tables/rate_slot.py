"""Starts of runs of a queue with a rate: counted in slots of time, each named by the moment at which it ends."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.tables import columns


class RateSlot(SQLModel, table=True):
    __tablename__ = "rate_slot"

    queue: str = Field(sa_column=columns.key())
    at: datetime = Field(sa_column=columns.moment_key())
    starts: int = Field(0, sa_column=columns.count())
