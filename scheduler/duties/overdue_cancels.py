"""Completes cancels that a worker did not answer within the grace and five seconds: the run ends, its activation is fenced."""

from models import control_requests, idle_ends
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus
from models.runtime.database import Connection
from models.runtime.facts import fact

TICK_SECONDS = 1.0

_OVERDUE = """
    SELECT id, step_in_flight, control_by FROM run WHERE lease_worker IS NOT NULL AND control_request = 'cancel'
        AND control_at + (control_grace_ms + 5000) * interval '1 ms' < now() LIMIT 100
    """


class OverdueCancels:
    """Looks once a second."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def step(self, connection: Connection) -> float:
        """Complete what is overdue, each in a transaction of its own."""
        for run in connection.execute(_OVERDUE).fetchall():
            why = control_requests.why_canceled(run["control_by"])
            event = idle_ends.cancel_overdue(connection, run["id"], in_flight=run["step_in_flight"], reason=why)
            if event:
                fact("run.cancel_completed", run=run["id"])
                self._bus.publish_event(event.tenant, public(event))
                self._bus.wake_up(PROMOTE, event.queue)
        return TICK_SECONDS
