"""Publication of what a transaction on a run's waits did: to the worker that executes the run, the scheduler and subscribers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.runs.public_event import public
from models.runtime.bus import PROMOTE, worker_channel
from models.stored_event import StoredEvent
from models.waiting.run_state import RunState


class Publisher(Protocol):
    """What takes the hints: the bus."""

    def publish_event(self, tenant: str, message: Mapping[str, Any]) -> None: ...
    def wake_up(self, channel: str, text: str = "") -> None: ...


def announce(bus: Publisher, run_state: RunState, events: Sequence[StoredEvent]) -> None:
    """Publish the result of a transaction that began with `waits.lock_run`; call it after the commit.

    `run_state` is the row that was locked. The worker that executes the run fetches the outcomes, also if no event tells of
    them: a timer and a signal have none. The wake-ups go first, because events are gathered for some milliseconds.
    """
    if run_state.lease_worker is not None:
        bus.wake_up(worker_channel(run_state.lease_worker))
    elif events:
        bus.wake_up(PROMOTE, run_state.queue)
    for event in events:
        bus.publish_event(run_state.tenant, public(event))
