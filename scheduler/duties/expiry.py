"""Expiry of runs that did not start within the time given for it."""

import json
from collections.abc import Iterator

from models.lifecycle import Reason
from models.runs import expiration
from models.runtime.database import Connection
from scheduler.duty import Done, Duty, Fact

TICK_SECONDS = 0.5
_ERROR = json.dumps({"code": Reason.EXPIRED, "type": "Expired", "message": "it had not started when it expired"})


class Expiry(Duty):
    """Looks twice a second, and at the time at which the next run expires."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Fail the runs that are due, each in a transaction of its own."""
        due = expiration.due().all(connection)
        for run in due:
            event = expiration.end(connection, run, _ERROR)
            if event:
                yield Done.of_moves([event], Fact.of("run.expired", run=run))
        yield Done(0.0 if len(due) == expiration.BATCH else self._until_next(connection))

    @staticmethod
    def _until_next(connection: Connection) -> float:
        seconds = expiration.next_due().one(connection)
        return TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds))
