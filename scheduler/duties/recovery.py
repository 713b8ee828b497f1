"""Recovery of the runs of dead workers: finds the dead workers, then makes the runs that they lease ready again.

A worker is dead when its liveness lock (seen in `pg_locks`, never taken) has been free for two seconds in one unbroken
scheduler session, or when its lease has expired. During the first full lease after this session or the server began
no worker is declared dead: a restart of PostgreSQL must not look like the death of all workers.
"""

import json
import time
from collections.abc import Iterator
from uuid import UUID

from models import moves
from models.fleet import workers
from models.lifecycle import Reason, Verb
from models.runtime.database import Connection, Row
from models.runtime.session_locks import held
from models.sql.locking import locked_first
from models.statement import Statement
from models.stored_event import StoredEvent
from scheduler.duty import Done, Duty, Fact

LOCK_FREE_SECONDS = 2.0
TICK_SECONDS = 0.5
BATCH = 200

_WATCHED = f"""
    SELECT worker.id, lease_until < now() AS expired, {held("liveness_key")} AS locked FROM worker WHERE dead_at IS NULL
    """
_SERVER_AGE = "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float AS seconds"
# Locks run rows in the order of their ids; a row that is locked already is taken in the next tick.
_ORPHANS = locked_first(
    """SELECT run.id, run.epoch, run.lease_worker, run.step_in_flight, run.claimed_at > worker.dead_at AS claimed_late
    FROM run JOIN worker ON worker.id = run.lease_worker WHERE worker.dead_at IS NOT NULL""",
    BATCH,
    key="run.id",
    of="run",
)


class Recovery(Duty):
    """Looks twice a second; made again for each session of the leader."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._since = time.monotonic()
        self._free_since: dict[UUID, float] = {}

    def step(self, connection: Connection) -> Iterator[Done]:
        """Declare workers dead, then recover a batch of their runs."""
        if self._may_judge(connection):
            for worker in self._dead(connection):
                if workers.leave(worker).one(connection):
                    yield Done(facts=[Fact.of("worker.found_dead", level="warning", worker=worker)])
        with connection.transaction():
            orphans = connection.execute(_ORPHANS).fetchall()
            events = [event for orphan in orphans if (event := _release(orphan).one(connection))]
        facts = [Fact.of("run.recovered", run=event.run_id, status=event.status) for event in events]
        yield Done.of_moves(events, *facts)
        yield Done(0.0 if len(orphans) == BATCH else TICK_SECONDS)

    def _may_judge(self, connection: Connection) -> bool:
        if time.monotonic() - self._since < self._lease_s:
            return False
        row = connection.execute(_SERVER_AGE).fetchone()
        return bool(row and row["seconds"] > self._lease_s)

    def _dead(self, connection: Connection) -> list[UUID]:
        now = time.monotonic()
        rows = connection.execute(_WATCHED).fetchall()
        self._free_since = {row["id"]: self._free_since.get(row["id"], now) for row in rows if not row["locked"]}
        unlocked = {worker for worker, since in self._free_since.items() if now - since >= LOCK_FREE_SECONDS}
        return [row["id"] for row in rows if row["expired"] or row["id"] in unlocked]


def _release(orphan: Row) -> Statement[StoredEvent]:
    error = {
        "code": Reason.WORKER_LOST,
        "type": "WorkerLost",
        "message": f"the workers that executed this run died {moves.LOSS_LIMIT} times",
        "step": orphan["step_in_flight"],
    }
    return moves.release(
        orphan["id"],
        orphan["epoch"],
        orphan["lease_worker"],
        # A worker that was cut off may claim a run before it learns that it was declared dead: then nothing was lost.
        verb=Verb.HAND_BACK if orphan["claimed_late"] else Verb.RECOVER,
        reason=Reason.WORKER_LOST,
        error=json.dumps(error),
    )
