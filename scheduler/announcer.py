"""Announcement of what a duty's transaction did: to workers, to the scheduler itself, to subscribers and to the log."""

from models.runs.announcing import Publisher
from models.runs.public_event import public
from models.runtime import facts
from models.runtime.bus import PROMOTE, worker_channel
from scheduler.duty import Done


class Announcer:
    """Publishes the results of duties on the bus. Used by the loop's thread only."""

    def __init__(self, bus: Publisher) -> None:
        self._bus = bus

    def announce(self, done: Done) -> None:
        """Publish one result; call it after the commit. The wake-ups go first: the bus gathers events for some milliseconds."""
        for worker in dict.fromkeys(done.workers):
            self._bus.wake_up(worker_channel(worker))
        for queue in dict.fromkeys(done.queues):
            self._bus.wake_up(PROMOTE, queue)
        for event in done.events:
            self._bus.publish_event(event.tenant, public(event))
        for one in done.facts:
            facts.fact(one.name, level=one.level, **one.fields)
