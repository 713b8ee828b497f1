"""What folding an effect on another run came to: the rows of `outbox` that one transaction brings to their target."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.runtime.database import Row


@dataclass(frozen=True, slots=True)
class EffectResult:
    """`events` are told after the commit, `workers` are woken to look at their requests.

    What is not `done` stays in the outbox and is folded again: an effect on very many runs is brought to some at a time.
    """

    events: Sequence[Row] = ()
    workers: Sequence[UUID] = ()
    done: bool = True

    @classmethod
    def of_waits(cls, run_state: Row, over: Sequence[Row], events: Sequence[Row]) -> "EffectResult":
        """Result of a transaction that began with `waits.lock_run`: a worker that executes the run fetches what is over.

        It is not woken for what is kept: a run that executes while its children end would have it renew at each of them.
        """
        executes = over and run_state["lease_worker"] is not None
        return cls(events, [run_state["lease_worker"]] if executes else [])
