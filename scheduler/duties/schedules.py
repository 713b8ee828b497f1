"""Firing of schedules at their time, and release of runs that waited for the run before them."""

from collections.abc import Iterator

import psycopg

from models.blocked_on import OVERLAP
from models.operations import schedules
from models.runtime.database import Connection, Row
from models.runtime.facts import fact
from scheduler.duty import Done, Duty, Fact

TICK_SECONDS = 0.5
RETRY_SECONDS = 1.0
BATCH = 100

_DUE = f"""
    SELECT tenant, name, next_at FROM schedule WHERE NOT paused AND next_at <= now() ORDER BY next_at LIMIT {BATCH}
    """
_NEXT = "SELECT extract(epoch FROM min(next_at) - now())::float AS seconds FROM schedule WHERE NOT paused"
_WAITING = f"SELECT FROM run WHERE blocked_on = '{OVERLAP}' LIMIT 1"


class Schedules(Duty):
    """Looks twice a second, and at the time at which a schedule fires."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Fire what is due, each in a transaction of its own; one that fails does not hold up the others."""
        rows = connection.execute(_DUE).fetchall()
        failed = False
        for row in rows:
            try:
                yield self._fire(connection, row)
            except psycopg.Error:
                if connection.closed:
                    raise
                failed = True
                fact("schedule.not_fired", level="exception", **_named(row), at=row["next_at"])
        if connection.execute(_WAITING).fetchone() is not None:
            yield Done(queues=schedules.let_go().all(connection))
        if failed:
            yield Done(RETRY_SECONDS)
        else:
            yield Done(0.0 if len(rows) == BATCH else self._until_next(connection))

    @staticmethod
    def _fire(connection: Connection, row: Row) -> Done:
        """Fire one schedule; stop it if this machine does not know its time zone."""
        try:
            fired = schedules.fire(connection, row["tenant"], row["name"], row["next_at"])
        except ValueError as error:
            schedules.stop(row["tenant"], row["name"], row["next_at"]).one(connection)
            return Done(facts=[Fact.of("schedule.unusable", level="error", **_named(row), why=error)])
        if fired is None or fired.at is None:
            return Done()
        if fired.event is None:
            return Done(facts=[Fact.of("schedule.skipped", **_named(row), at=fired.at)])
        return Done.of_moves(
            [fired.event], Fact.of("schedule.fired", **_named(row), at=fired.at, run=fired.event.run_id)
        )

    @staticmethod
    def _until_next(connection: Connection) -> float:
        row = connection.execute(_NEXT).fetchone()
        seconds = row["seconds"] if row else None
        return TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds))


def _named(row: Row) -> dict[str, str]:
    return {"tenant": row["tenant"], "schedule": row["name"]}
