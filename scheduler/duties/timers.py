"""End of waits whose time has come: sleeps, and waits that nobody answered in time."""

from collections.abc import Iterator

from models.runtime.database import Connection
from models.waiting import waits
from models.waiting.wake import wake_run
from scheduler.duty import Done, Duty

TICK_SECONDS = 0.25
BATCH = 200

_DUE = f"""
    SELECT run_id, tenant FROM wait WHERE resolved_at IS NULL AND due_at <= now() AND on_due IS NOT NULL
    ORDER BY due_at LIMIT {BATCH}
    """


class Timers(Duty):
    """Looks four times a second, by an index that holds only open waits with a time."""

    def step(self, connection: Connection) -> Iterator[Done]:
        """End the waits that are due, each run's in a transaction of its own."""
        due = connection.execute(_DUE).fetchall()
        for run, tenant in {row["run_id"]: row["tenant"] for row in due}.items():
            with connection.transaction():
                run_state = waits.lock_run(run, tenant).one(connection)
                over = waits.resolve_due(run).all(connection)
                events = wake_run(connection, run_state, over) if run_state else []
            if run_state and over:
                yield Done.of_waits(run_state, events)
        yield Done(0.0 if len(due) == BATCH else TICK_SECONDS)
