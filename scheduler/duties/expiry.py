"""Fails runs that did not begin in the time that they were given for it."""

import json

from models.lifecycle import Reason
from models.runs import expiration
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus
from models.runtime.database import Connection
from models.runtime.facts import fact

TICK_SECONDS = 0.5
_ERROR = json.dumps({"code": Reason.EXPIRED, "type": "Expired", "message": "it had not started when it expired"})


class Expiry:
    """Looks twice a second, and at the moment at which the next run expires."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def step(self, connection: Connection) -> float:
        """Fail what is due, each run in a transaction of its own."""
        due = expiration.due().all(connection)
        for run in due:
            event = expiration.end(connection, run, _ERROR)
            if event:
                fact("run.expired", run=run)
                self._bus.publish_event(event.tenant, public(event))
                self._bus.wake_up(PROMOTE, event.queue)
        return 0.0 if len(due) == expiration.BATCH else self._until_next(connection)

    @staticmethod
    def _until_next(connection: Connection) -> float:
        seconds = expiration.next_due().one(connection)
        return TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds))
