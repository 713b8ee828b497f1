"""What folding an effect on another run came to: the rows of `outbox` that one transaction brings to their target."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.stored_event import StoredEvent
from models.waiting.run_state import ResolvedWait, RunState


@dataclass(frozen=True, slots=True)
class Target:
    """The locked run on which effects are applied."""

    id: UUID
    tenant: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One effect that is on its way to a run."""

    id: UUID
    effect: str


@dataclass(frozen=True, slots=True)
class EffectResult:
    """`events` are told after the commit, `workers` are woken to look at their requests.

    What is not `done` stays in the outbox and is folded again: an effect on very many runs is brought to some at a time.
    """

    events: Sequence[StoredEvent] = ()
    workers: Sequence[UUID] = ()
    done: bool = True

    @classmethod
    def of_waits(
        cls, run_state: RunState, over: Sequence[ResolvedWait], events: Sequence[StoredEvent]
    ) -> "EffectResult":
        """Result of a transaction that began with `waits.lock_run`: a worker that executes the run fetches what is over.

        It is not woken for what is kept: a run that executes while its children end would have it renew at each of them.
        """
        worker = run_state.lease_worker
        return cls(events, [worker] if over and worker is not None else [])
