"""Progress of the fair order of a queue: the highest tag of a priority that was promoted."""

from sqlmodel import Field, SQLModel

from models.tables import columns


class VirtualTime(SQLModel, table=True):
    __tablename__ = "virtual_time"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    queue: str = Field(sa_column=columns.key())
    priority: int = Field(sa_column=columns.small_key())
    tag: float = Field(0, sa_column=columns.real())
