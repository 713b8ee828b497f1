"""Stored events: rows of `event`, as statements that write or read them return them.

`models.runs.public_event` makes the object of one that subscribers see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of `event`.

    `data` is the event's own JSON, decoded or as text. `queue`, `agent` and `epoch` are those of its run, where the
    statement reads them as well.
    """

    run_id: UUID
    tenant: str
    seq: int
    at: datetime | None
    type: str
    verb: str | None
    status: str
    status_was: str | None
    reason: str | None
    data: Any
    queue: str = ""
    agent: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """Result of several statements that one transaction commits: their events, to publish in this order."""

    events: Sequence[StoredEvent] = ()
