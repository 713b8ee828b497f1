"""The claim of a run: all that a worker needs to know of the run that it has taken."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from models.stored_event import StoredEvent


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that a worker has taken, as its row was at that moment.

    `input` is JSON text. Times that end with `_ms` are milliseconds, those of moments since 1970 by the database's clock.
    `has_steps`, `has_waits` and `has_turns` say whether earlier activations left any. `matters_to_others` is True for a run
    that holds places or has a parent. The fields from `seq` on are those of the claim's event; they are missing in a claim
    that is read again after its acknowledgement was lost.
    """

    run_id: UUID
    tenant: str
    status: str
    queue: str
    agent: str
    epoch: int
    lease_worker: UUID
    user_id: str | None
    activations: int
    timeout_ms: int | None
    active_ms: int
    step_count: int
    log_bytes: int
    inbox: int
    approval_strategy: str
    matters_to_others: bool
    input: str
    metadata: Mapping[str, str] | None
    has_steps: bool
    has_waits: bool
    has_turns: bool
    now_ms: float
    created_ms: float
    started_ms: float
    seq: int | None = None
    at: datetime | None = None
    type: str = ""
    verb: str | None = None
    status_was: str | None = None
    reason: str | None = None
    data: Any = None
    read_at: float = field(default_factory=time.monotonic)
    """When this worker read the row, by its own monotonic clock, in seconds."""

    @property
    def event(self) -> StoredEvent | None:
        """The claim's own event; None if the claim was read again."""
        if self.seq is None:
            return None
        return StoredEvent(
            self.run_id,
            self.tenant,
            self.seq,
            self.at,
            self.type,
            self.verb,
            self.status,
            self.status_was,
            self.reason,
            self.data,
            self.queue,
            self.agent,
            self.epoch,
        )
