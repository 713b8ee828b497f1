"""Republication of tickets that no worker claimed.

A ticket may be lost with the broker. It is published again, with the same epoch, only when its queue has had a free slot
for the whole deadline: before that, it may simply wait its turn behind full workers.
"""

import time
from collections.abc import Callable, Iterator

from models.promotion import tickets
from models.promotion.tickets import Ticket
from models.runtime.database import Connection
from scheduler.duty import Done, Duty
from scheduler.promotion.capacity import read_capacity

DEADLINE_SECONDS = 5.0
TICK_SECONDS = 1.0


class Republication(Duty):
    """Looks once a second."""

    def __init__(self, publish: Callable[[list[Ticket]], None]) -> None:
        self._publish = publish
        self._open_since: dict[str, float] = {}

    def step(self, connection: Connection) -> Iterator[Done]:
        """Publish the overdue tickets of queues with free slots."""
        now = time.monotonic()
        queues = [capacity.queue for capacity in read_capacity(connection) if capacity.open_slots]
        self._open_since = {queue: self._open_since.get(queue, now) for queue in queues}
        for queue, since in self._open_since.items():
            if now - since >= DEADLINE_SECONDS:
                self._publish(tickets.republish(queue).all(connection))
        yield Done(TICK_SECONDS)
