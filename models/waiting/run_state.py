"""The state of a run whose row this transaction holds, as far as its waits are concerned."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RunState:
    """A locked run. The last fields keep their defaults where a statement has no use for them."""

    id: UUID
    tenant: str
    status: str
    pause_kind: str | None
    epoch: int
    reason: str | None = None
    pending_waits: int = 0
    control_request: str | None = None
    control_by: str | None = None
    control_reason: str | None = None
    lease_worker: UUID | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedWait:
    """A wait that this transaction ended. `wake` says whether its park waits for `all` or for `any` of its waits."""

    id: UUID
    key: str
    kind: str
    wake: str
    epoch: int
    outcome: str
    decided_by: str | None
    comment: str | None
    on_deny: str | None
