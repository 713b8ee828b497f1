"""Turn of an async agent: which outcomes it saw at a moment of the run's clock, and which waits it gave up.

A replay hands outcomes out in the order of these rows. `seq` is the run's at that moment, so that a turn stands between steps.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tables import columns


class Turn(SQLModel, table=True):
    __tablename__ = "turn"

    run_id: UUID = Field(sa_column=columns.identity(primary=True))
    epoch: int = Field(sa_column=columns.count_key())
    n: int = Field(sa_column=columns.count_key())
    tenant: str = Field(sa_column=columns.words(null=False))
    seq: int = Field(sa_column=columns.count(default=None))
    at_ms: float = Field(sa_column=columns.real(default=None))
    committed_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    seen: Any = Field(None, sa_column=columns.json_text(null=False))
    gone: Any = Field(None, sa_column=columns.json_text(null=False))
