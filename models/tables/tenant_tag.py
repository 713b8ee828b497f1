"""Place of a tenant in the fair order of a queue: the tag that its last run of a priority was given."""

from sqlmodel import Field, SQLModel

from models.tables import columns


class TenantTag(SQLModel, table=True):
    __tablename__ = "tenant_tag"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    queue: str = Field(sa_column=columns.key())
    priority: int = Field(sa_column=columns.small_key())
    tenant: str = Field(sa_column=columns.key())
    last_tag: float = Field(0, sa_column=columns.real())
