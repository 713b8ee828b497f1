"""Carries out what was asked to be done to many runs, some of them at a time, so that promotion is never held up.

Operations take turns; how far each has come is in its row, so that whoever leads next goes on from there.
"""

import time
from uuid import UUID

from models.operations.bulk import StoredBulk
from models.operations.commands import CommandResult
from models.runs.public_event import public
from models.runtime.bus import PROMOTE, Bus, worker_channel
from models.runtime.database import Connection
from models.runtime.facts import fact
from models.statement import Statement
from scheduler.duties.bulk_operation import BulkOperation

TICK_SECONDS = 0.25
TURN_SECONDS = 0.025
REST = 1  # as long as a turn took, before the next: half of the loop's time is promotion's
AT_ONCE = 8  # operations that have a part of one turn

_UNDER_WAY = f"""
    SELECT * FROM bulk WHERE finished_at IS NULL ORDER BY id <= %(last)s, id LIMIT {AT_ONCE}
    """


class Bulks:
    """Looks four times a second, and works in short turns while there is something to be done."""

    def __init__(self, bus: Bus, cancel_grace_s: float) -> None:
        self._bus, self._grace_ms = bus, round(cancel_grace_s * 1000)
        self._errands: dict[UUID, BulkOperation] = {}
        self._last = UUID(int=0)
        self._ready: set[str] = set()
        self._next = 0.0

    def step(self, connection: Connection) -> float:
        """Go on with the operations that are under way, for a part of a turn each."""
        began = time.monotonic()
        if began < self._next:
            return self._next - began
        rows = Statement(_UNDER_WAY, {"last": self._last}, StoredBulk).all(connection)
        self._errands = {row.id: self._errands.get(row.id) or self._errand(row) for row in rows}
        moved = False
        for n, row in enumerate(rows, start=1):
            self._last = row.id  # first: one that raises must not have the next turn as well
            moved |= self._errands[row.id].go_on(connection, row, began + TURN_SECONDS * n / len(rows))
        for queue in self._ready:
            self._bus.wake_up(PROMOTE, queue)
        self._ready.clear()
        pause = (time.monotonic() - began) * REST if moved else TICK_SECONDS
        self._next = time.monotonic() + pause
        return pause

    def _errand(self, row: StoredBulk) -> BulkOperation:
        return BulkOperation(row, self._tell, self._grace_ms)

    def _tell(self, tenant: str, steered: CommandResult) -> None:
        for event in steered.events:
            fact("run.steered", level="debug", run=event.run_id, status=event.status)
            self._bus.publish_event(tenant, public(event))
            self._ready.add(event.queue)
        if steered.worker:
            self._bus.wake_up(worker_channel(steered.worker))
