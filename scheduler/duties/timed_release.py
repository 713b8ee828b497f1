"""Release of single runs whose gate ends at a set time: declined tickets, and runs that were not to start before it."""

from collections.abc import Iterator

from models.promotion import tickets
from models.runtime.database import Connection
from scheduler.duty import Done, Duty

TICK_SECONDS = 0.5


class Lifting(Duty):
    """Looks twice a second, and at the time at which the next gate opens."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Open the gates that are due."""
        if lifted := tickets.lift().all(connection):
            yield Done(queues=lifted)
        seconds = tickets.next_lift().one(connection)
        yield Done(TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds)))
