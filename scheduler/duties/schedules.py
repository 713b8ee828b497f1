"""Fires schedules when their time has come, and lets runs go that waited for the run before them."""

import psycopg

from models.blocked_on import OVERLAP
from models.operations import schedules
from models.operations.schedules import Fired
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus
from models.runtime.database import Connection, Row
from models.runtime.facts import fact

TICK_SECONDS = 0.5
RETRY_SECONDS = 1.0
BATCH = 100

_DUE = f"""
    SELECT tenant, name, next_at FROM schedule WHERE NOT paused AND next_at <= now() ORDER BY next_at LIMIT {BATCH}
    """
_NEXT = "SELECT extract(epoch FROM min(next_at) - now())::float AS seconds FROM schedule WHERE NOT paused"
_WAITING = f"SELECT FROM run WHERE blocked_on = '{OVERLAP}' LIMIT 1"


class Schedules:
    """Looks twice a second, and at the moment at which a schedule fires."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def step(self, connection: Connection) -> float:
        """Fire what is due, each in a transaction of its own."""
        rows = connection.execute(_DUE).fetchall()
        failed = [row for row in rows if not self._fire(connection, row)]
        if connection.execute(_WAITING).fetchone() is not None:
            for queue in schedules.let_go().all(connection):
                self._bus.wake_up(PROMOTE, queue)
        if failed:
            return RETRY_SECONDS
        return 0.0 if len(rows) == BATCH else self._until_next(connection)

    def _fire(self, connection: Connection, row: Row) -> bool:
        """Fire one schedule; False when it could not be done: the others must not wait for it."""
        tenant, name, seen = row["tenant"], row["name"], row["next_at"]
        try:
            fired = schedules.fire(connection, tenant, name, seen)
        except ValueError as error:
            schedules.stop(tenant, name, seen).one(connection)
            fact("schedule.unusable", level="error", tenant=tenant, schedule=name, why=error)
            return True
        except psycopg.Error:
            if connection.closed:
                raise
            fact("schedule.not_fired", level="exception", tenant=tenant, schedule=name, at=seen)
            return False
        self._tell(tenant, name, fired)
        return True

    def _tell(self, tenant: str, name: str, fired: Fired | None) -> None:
        if fired is None or fired.at is None:
            return
        if fired.event is None:
            fact("schedule.skipped", tenant=tenant, schedule=name, at=fired.at)
            return
        fact("schedule.fired", tenant=tenant, schedule=name, at=fired.at, run=fired.event.run_id)
        self._bus.publish_event(tenant, public(fired.event))
        self._bus.wake_up(PROMOTE, fired.event.queue)

    @staticmethod
    def _until_next(connection: Connection) -> float:
        row = connection.execute(_NEXT).fetchone()
        seconds = row["seconds"] if row else None
        return TICK_SECONDS if seconds is None else min(TICK_SECONDS, max(0.0, seconds))
