"""Duty: one kind of work that the leading scheduler repeats, and the result that it hands to the loop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from models.runtime.database import Connection
from models.stored_event import StoredEvent
from models.waiting.run_state import RunState


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be logged once its transaction is committed; see `models.runtime.facts`."""

    name: str
    fields: Mapping[str, Any]
    level: str = "info"

    @classmethod
    def of(cls, name: str, *, level: str = "info", **fields: Any) -> "Fact":
        """Build a fact as `fact` takes it: `Fact.of("run.expired", run=run_id)`."""
        return cls(name, fields, level)


@dataclass(frozen=True, slots=True)
class Done:
    """Result of one committed transaction of a duty.

    `wait_s` is the time until the duty is due again at the latest; that of a step's last result counts. `queues` have runs that
    may be promoted now, `workers` have a request to look at.
    """

    wait_s: float = 0.0
    events: Sequence[StoredEvent] = ()
    queues: Iterable[str] = ()
    workers: Iterable[UUID] = ()
    facts: Sequence[Fact] = ()

    @classmethod
    def of_moves(cls, events: Sequence[StoredEvent], *facts: Fact, workers: Iterable[UUID] = ()) -> "Done":
        """Result of moves after which runs may be ready, in the queues of their events."""
        return cls(events=events, queues=[event.queue for event in events], workers=workers, facts=facts)

    @classmethod
    def of_waits(cls, run_state: RunState, events: Sequence[StoredEvent]) -> "Done":
        """Result of a transaction that began with `waits.lock_run` and ended waits of this run.

        The worker that executes the run fetches the ended waits, also without an event: a timer has none.
        """
        worker = run_state.lease_worker
        return cls(
            events=events,
            queues=[run_state.queue] if events and worker is None else (),
            workers=() if worker is None else [worker],
            facts=[Fact.of("run.woken", level="debug", run=event.run_id, status=event.status) for event in events],
        )


class Duty(Protocol):
    """One kind of work, done in the session that holds the leader's lock."""

    wakes_on: frozenset[str] = frozenset()
    """Channels whose hints make the duty due immediately."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Do the work once. Yield the result of each transaction after its commit, and last the time to wait."""
        ...
