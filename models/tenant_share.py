"""Where a tenant stands in the fair order of one queue: the tag that its last run was given, and its weight."""

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models import columns


class TenantShare(SQLModel, table=True):
    __tablename__ = "tenant_share"
    __table_args__ = (
        CheckConstraint("weight > 0", name="tenant_share_weight_positive"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    queue: str = Field(sa_column=columns.key())
    tenant: str = Field(sa_column=columns.key())
    weight: float = Field(1, sa_column=columns.real(default=1))
    last_tag: float = Field(0, sa_column=columns.real())
