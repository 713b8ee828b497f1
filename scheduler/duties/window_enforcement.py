"""Brings runs in line with the gates: what is closed loses its tickets and, where its window says so, its slots; what waits
for a window that is open goes on.
"""

from models import control_requests
from models.lifecycle import Reason
from models.promotion import tickets
from models.runs.announcing import announce
from models.runtime.bus import Bus, worker_channel
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.run_state import RunState
from scheduler.promotion.gates import GateReader, Gates

TICK_SECONDS = 0.5
BATCH = 200

_WAITING = f"""
    SELECT run_id, tenant, request ->> 'window' AS window FROM wait
    WHERE resolved_at IS NULL AND kind = 'window' AND request ->> 'window' <> ALL(%(closed)s::text[]) LIMIT {BATCH}
    """


class Closing:
    """Looks twice a second, and at the moment at which a window opens or closes."""

    def __init__(self, gates: GateReader, bus: Bus) -> None:
        self._gates, self._bus = gates, bus

    def step(self, connection: Connection) -> float:
        """Withdraw tickets and ask for parks where gates are closed; wake what waits for windows that are open."""
        gates = self._gates.read(connection)
        for run in control_requests.take_windows_back(windows=[*gates.pausing]).all(connection):
            fact("run.window_reopened", run=run)
        woken = self._open(connection, gates)
        if gates.any_closed:
            self._close(connection, gates)
        return 0.0 if woken == BATCH else min(TICK_SECONDS, gates.changes_in)

    def _close(self, connection: Connection, gates: Gates) -> None:
        closed = {"windows": list(gates.closed), "queues": list(gates.queues), "agents": list(gates.agents)}
        for ticket in tickets.withdraw(**closed).all(connection):
            fact("run.withdrawn", run=ticket.id, queue=ticket.queue)
        if gates.pausing:
            asked = control_requests.ask_for_windows(
                windows=list(gates.pausing), queues=gates.pausing_queues, agents=gates.pausing_agents
            )
            for leased in asked.all(connection):
                self._bus.wake_up(worker_channel(leased.lease_worker))
                fact("run.window_closed", run=leased.id, worker=leased.lease_worker)

    def _open(self, connection: Connection, gates: Gates) -> int:
        """Let the runs go on whose window is open or was deleted, each in a transaction of its own."""
        rows = connection.execute(_WAITING, {"closed": list(gates.closed)}).fetchall()
        for row in rows:
            with connection.transaction():
                run_state = waits.lock_run(row["run_id"], row["tenant"]).one(connection)
                events = self._go_on(connection, run_state) if run_state else []
            if run_state and events:
                announce(self._bus, run_state, events)
            for event in events:
                fact("run.woken", level="debug", run=event.run_id, status=event.status)
        return len(rows)

    @staticmethod
    def _go_on(connection: Connection, run_state: RunState) -> list[StoredEvent]:
        over = waits.resolve(run_state.id, run_state.epoch, ("window",), outcome="opened", by=None).all(connection)
        return waits.wake(connection, run_state, over, reason=Reason.WINDOW_OPENED)
