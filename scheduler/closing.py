"""Takes back what a gate that closed must not let go any more: tickets that nobody has claimed yet."""

from models import tickets
from models.database import Connection
from models.facts import fact
from scheduler.gates import GateReader, Gates

TICK_SECONDS = 0.5


class Closing:
    """Looks twice a second, and at the moment at which a window closes."""

    def __init__(self, gates: GateReader) -> None:
        self._gates = gates

    def step(self, connection: Connection) -> float:
        """Withdraw the tickets of what is closed."""
        gates = self._gates.read(connection)
        if gates.any_closed:
            self._withdraw(connection, gates)
        return min(TICK_SECONDS, gates.changes_in)

    @staticmethod
    def _withdraw(connection: Connection, gates: Gates) -> None:
        closed = {"windows": list(gates.closed), "queues": list(gates.queues), "agents": list(gates.agents)}
        for row in tickets.withdraw(**closed).all(connection):
            fact("run.withdrawn", run=row["id"], queue=row["queue"])
