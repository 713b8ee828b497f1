"""Opens the gates of single runs when their time has come: of declined tickets, and of runs that were not to begin before."""

from models.promotion import tickets
from models.runtime.bus import PROMOTE, Bus
from models.runtime.database import Connection

TICK_SECONDS = 0.5


class Lifting:
    """Looks twice a second, and at the moment at which the next gate opens."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def step(self, connection: Connection) -> float:
        """Open what is due."""
        for queue in set(tickets.lift().all(connection)):
            self._bus.wake_up(PROMOTE, queue)
        seconds = tickets.next_lift().one(connection)
        return TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds))
