"""Weight of a tenant's runs in one queue against those of others; a tenant without a row weighs 1."""

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.tables import columns


class TenantShare(SQLModel, table=True):
    __tablename__ = "tenant_share"
    __table_args__ = (CheckConstraint("weight > 0", name="tenant_share_weight_positive"),)

    queue: str = Field(sa_column=columns.key())
    tenant: str = Field(sa_column=columns.key())
    weight: float = Field(1, sa_column=columns.real(default=1))
