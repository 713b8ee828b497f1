"""Ends waits whose time has come: sleeps, and waits for somebody who did not come in time."""

from models.runs.announcing import announce
from models.runtime.bus import Bus
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.waiting import waits

TICK_SECONDS = 0.25
BATCH = 200

_DUE = f"""
    SELECT run_id, tenant FROM wait WHERE resolved_at IS NULL AND due_at <= now() AND on_due IS NOT NULL
    ORDER BY due_at LIMIT {BATCH}
    """


class Timers:
    """Looks four times a second, by an index that holds open waits with a time alone."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def step(self, connection: Connection) -> float:
        """End what is due, each run in a transaction of its own."""
        due = connection.execute(_DUE).fetchall()
        for run, tenant in {row["run_id"]: row["tenant"] for row in due}.items():
            with connection.transaction():
                run_state = waits.lock_run(run, tenant).one(connection)
                over = waits.resolve_due(run).all(connection)
                events = waits.wake(connection, run_state, over) if run_state else []
            if run_state and over:
                announce(self._bus, run_state, events)
            for event in events:
                fact("run.woken", level="debug", run=event.run_id, status=event.status)
        return 0.0 if len(due) == BATCH else TICK_SECONDS
