"""Result of applying effects to another run: the rows of `outbox` that one transaction applies to their target."""

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
    """`events` are published after the commit, `workers` are woken to read their requests.

    An effect that is not `done` stays in the outbox and is applied again: one on very many runs reaches some at a time.
    """

    events: Sequence[StoredEvent] = ()
    workers: Sequence[UUID] = ()
    done: bool = True

    @classmethod
    def of_waits(
        cls, run_state: RunState, over: Sequence[ResolvedWait], events: Sequence[StoredEvent]
    ) -> "EffectResult":
        """Result of a transaction that began with `waits.lock_run`: a worker that executes the run fetches the outcomes.

        It is not woken if no wait is over: else it would renew its lease at the end of each child of an executing run.
        """
        worker = run_state.lease_worker
        return cls(events, [worker] if over and worker is not None else [])
