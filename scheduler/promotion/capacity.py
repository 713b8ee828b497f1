"""Capacity of each queue's workers: only live, consuming workers that do not drain offer slots."""

from dataclasses import dataclass

from models.runtime.database import Connection

# The lateral subqueries make the planner count each worker's runs and each queue's tickets by the index of runs in flight.
_CAPACITY = """
    WITH live AS (
        SELECT id, queue, slots, agents FROM worker
        WHERE dead_at IS NULL AND NOT draining AND lease_until > now() AND consuming_at > now() - interval '10 s'
            AND agents <> '{}'
    ), offered AS (
        SELECT live.queue, sum(greatest(0, live.slots - leased.runs))::int AS open_slots
        FROM live CROSS JOIN LATERAL (SELECT count(*) AS runs FROM run WHERE lease_worker = live.id) AS leased
        GROUP BY live.queue
    )
    SELECT offered.queue, open_slots, promoted.tickets::int AS tickets,
        ARRAY(SELECT DISTINCT unnest(live.agents) FROM live WHERE live.queue = offered.queue) AS agents
    FROM offered CROSS JOIN LATERAL (
        SELECT count(*) AS tickets FROM run WHERE lease_worker IS NULL AND ticket_at IS NOT NULL AND run.queue = offered.queue
    ) AS promoted
    ORDER BY queue
    """


@dataclass(frozen=True, slots=True)
class Capacity:
    """One queue's offer: slots that execute nothing, tickets that are out for them, and the agents served."""

    queue: str
    open_slots: int
    tickets: int
    agents: tuple[str, ...]

    @property
    def free(self) -> int:
        """Number of runs that may be promoted now."""
        return max(0, self.open_slots - self.tickets)


def read_capacity(connection: Connection) -> list[Capacity]:
    """Read the offer of every queue that has a live worker."""
    rows = connection.execute(_CAPACITY).fetchall()
    return [Capacity(**{**row, "agents": tuple(row["agents"])}) for row in rows]
