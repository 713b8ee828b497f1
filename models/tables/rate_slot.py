"""How many runs a queue with a rate let start: counted in slots, each named by the moment at which it is over."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.tables import columns


class RateSlot(SQLModel, table=True):
    __tablename__ = "rate_slot"

    queue: str = Field(sa_column=columns.key())
    at: datetime = Field(sa_column=columns.moment_key())
    starts: int = Field(0, sa_column=columns.count())
