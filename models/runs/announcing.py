"""Publication of what a transaction on a run's waits did: to the worker that executes the run, the scheduler and subscribers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.runs.public_event import public
from models.runtime.bus import PROMOTE, worker_channel
from models.runtime.database import Row


class Publisher(Protocol):
    """What takes the hints: the bus."""

    def say(self, tenant: str, message: Mapping[str, Any]) -> None: ...
    def wake(self, channel: str, text: str = "") -> None: ...


def announce(bus: Publisher, stands: Row, events: Sequence[Row]) -> None:
    """Publish the result of a transaction that began with `waits.knock`; call it after the commit.

    `stands` is the row of the knock. The worker that executes the run fetches what is over, also when no event says so: a
    timer or a signal has none. The wake-ups go first: events are gathered for some milliseconds.
    """
    if stands["lease_worker"] is not None:
        bus.wake(worker_channel(stands["lease_worker"]))
    elif events:
        bus.wake(PROMOTE, stands["queue"])
    for event in events:
        bus.say(stands["tenant"], public(event))
