"""Completion of cancels that a worker did not answer within the grace and five seconds.

The run ends, and its activation is fenced.
"""

from collections.abc import Iterator

from models import control_requests, idle_ends
from models.runtime.database import Connection
from scheduler.duty import Done, Duty, Fact

TICK_SECONDS = 1.0

_OVERDUE = """
    SELECT id, step_in_flight, control_by FROM run WHERE lease_worker IS NOT NULL AND control_request = 'cancel'
        AND control_at + (control_grace_ms + 5000) * interval '1 ms' < now() LIMIT 100
    """


class OverdueCancels(Duty):
    """Looks once a second."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """Complete what is overdue, each in a transaction of its own."""
        for run in connection.execute(_OVERDUE).fetchall():
            why = control_requests.why_canceled(run["control_by"])
            event = idle_ends.cancel_overdue(connection, run["id"], in_flight=run["step_in_flight"], reason=why)
            if event:
                yield Done.of_moves([event], Fact.of("run.cancel_completed", run=run["id"]))
        yield Done(TICK_SECONDS)
