"""Promotes runs: as many as the workers of a queue can take now, in the order of the ready index, where no gate is closed."""

from collections import defaultdict
from collections.abc import Callable

from models import tickets
from models.database import Connection, Row
from scheduler.candidates import read_candidates
from scheduler.capacity import Capacity, read_capacity
from scheduler.choosing import Turn, choose
from scheduler.gates import GateReader, Gates

TICK_SECONDS = 0.5


class Promotion:
    """Gives free slots to ready runs. The broker never mirrors the backlog: a ticket is made for a free slot only."""

    def __init__(self, publish: Callable[[list[Row]], None], gates: GateReader) -> None:
        self._publish, self._gates = publish, gates
        self._turns: defaultdict[str, Turn] = defaultdict(Turn)

    def step(self, connection: Connection) -> float:
        """Promote once in every queue; tickets are published after the commit."""
        gates = self._gates.read(connection)
        for capacity in read_capacity(connection):
            if capacity.free and capacity.queue not in gates.queues:
                self._publish(self._promote(connection, capacity, gates))
        return min(TICK_SECONDS, gates.changes_in)

    def _promote(self, connection: Connection, capacity: Capacity, gates: Gates) -> list[Row]:
        agents = gates.serving(capacity.agents)
        candidates = read_candidates(connection, capacity.queue, agents, gates.windows(), capacity.free)
        chosen = choose(candidates, capacity.free, self._turns[capacity.queue])
        if not chosen:
            return []
        rows = tickets.promote([run.id for run in chosen]).all(connection)
        place = {run.id: n for n, run in enumerate(chosen)}
        return sorted(rows, key=lambda row: place[row["id"]])
