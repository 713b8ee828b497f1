"""Enforcement of the gates on runs: a closed gate withdraws tickets and, where its window pauses, asks executing runs to park.
A run that waits for a window resumes when it is open.
"""

from collections.abc import Iterator

from models import control_requests
from models.lifecycle import Reason
from models.promotion import tickets
from models.runtime.database import Connection
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.run_state import RunState
from models.waiting.wake import wake_run
from scheduler.duty import Done, Duty, Fact
from scheduler.promotion.gates import GateReader, Gates

TICK_SECONDS = 0.5
BATCH = 200

_WAITING = f"""
    SELECT run_id, tenant, request ->> 'window' AS window FROM wait
    WHERE resolved_at IS NULL AND kind = 'window' AND request ->> 'window' <> ALL(%(closed)s::text[]) LIMIT {BATCH}
    """


class Closing(Duty):
    """Looks twice a second, and at the time at which a window opens or closes."""

    def __init__(self, gates: GateReader) -> None:
        self._gates = gates

    def step(self, connection: Connection) -> Iterator[Done]:
        """Withdraw tickets and ask for parks where gates are closed; wake the runs that wait for open windows."""
        gates = self._gates.read(connection)
        reopened = control_requests.take_windows_back(windows=[*gates.pausing]).all(connection)
        yield Done(facts=[Fact.of("run.window_reopened", run=run) for run in reopened])
        waiting = connection.execute(_WAITING, {"closed": list(gates.closed)}).fetchall()
        for row in waiting:
            with connection.transaction():
                run_state = waits.lock_run(row["run_id"], row["tenant"]).one(connection)
                events = self._wake(connection, run_state) if run_state else []
            if run_state and events:
                yield Done.of_waits(run_state, events)
        if gates.any_closed:
            yield from self._close(connection, gates)
        yield Done(0.0 if len(waiting) == BATCH else min(TICK_SECONDS, gates.changes_in))

    @staticmethod
    def _close(connection: Connection, gates: Gates) -> Iterator[Done]:
        closed = {"windows": list(gates.closed), "queues": list(gates.queues), "agents": list(gates.agents)}
        withdrawn = tickets.withdraw(**closed).all(connection)
        yield Done(facts=[Fact.of("run.withdrawn", run=ticket.id, queue=ticket.queue) for ticket in withdrawn])
        if gates.pausing:
            asked = control_requests.ask_for_windows(
                windows=list(gates.pausing), queues=gates.pausing_queues, agents=gates.pausing_agents
            ).all(connection)
            facts = [Fact.of("run.window_closed", run=run.id, worker=run.lease_worker) for run in asked]
            yield Done(workers=[run.lease_worker for run in asked], facts=facts)

    @staticmethod
    def _wake(connection: Connection, run_state: RunState) -> list[StoredEvent]:
        """End the run's wait for a window that is open or was deleted."""
        over = waits.resolve(run_state.id, run_state.epoch, ("window",), outcome="opened", by=None).all(connection)
        return wake_run(connection, run_state, over, reason=Reason.WINDOW_OPENED)
