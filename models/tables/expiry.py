"""Time until which a queued run may begin; the row is deleted when that time has come, whatever the run did."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.tables import columns


class Expiry(SQLModel, table=True):
    __tablename__ = "expiry"
    __table_args__ = (Index("expiry_next", "at"),)

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    at: datetime = Field(sa_column=columns.moment(null=False))
