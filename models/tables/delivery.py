"""One event on its way to one webhook, inserted in the event's own transaction. Reserved: no code writes this table yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.tables import columns


class Delivery(SQLModel, table=True):
    __tablename__ = "delivery"
    __table_args__ = (
        Index("delivery_due", "next_at", postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL")),
    )

    webhook_id: UUID = Field(sa_column=columns.identity(primary=True))
    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    seq: int = Field(primary_key=True)
    tenant: str = Field(sa_column=columns.words(null=False))
    type: str = Field(sa_column=columns.words(null=False))
    attempts: int = Field(0, sa_column=columns.count())
    next_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    delivered_at: datetime | None = Field(None, sa_column=columns.moment())
    dead_at: datetime | None = Field(None, sa_column=columns.moment())
    last_status: int | None = Field(None, sa_column=columns.count(default=None, null=True))
    last_error: str | None = Field(None, sa_column=columns.words())
