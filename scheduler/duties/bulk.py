"""Bulk operations on many runs, carried out in short turns so that promotion is never held up.

Operations take turns. Each operation's row holds its position, so the next leader resumes there.
"""

import time
from collections.abc import Iterator
from uuid import UUID

from models.operations.bulk import StoredBulk
from models.operations.commands import CommandResult
from models.runtime.database import Connection
from models.statement import Statement
from scheduler.duties.bulk_operation import BulkOperation
from scheduler.duty import Done, Duty, Fact

TICK_SECONDS = 0.25
TURN_SECONDS = 0.025
REST = 1  # times a turn's duration, before the next turn: half of the loop's time is for promotion
AT_ONCE = 8  # operations that share one turn

_UNDER_WAY = f"""
    SELECT * FROM bulk WHERE finished_at IS NULL ORDER BY id <= %(last)s, id LIMIT {AT_ONCE}
    """


class Bulks(Duty):
    """Looks four times a second, and works in short turns while an operation is under way."""

    def __init__(self, cancel_grace_s: float) -> None:
        self._grace_ms = round(cancel_grace_s * 1000)
        self._operations: dict[UUID, BulkOperation] = {}
        self._last = UUID(int=0)
        self._ready: set[str] = set()
        self._next = 0.0

    def step(self, connection: Connection) -> Iterator[Done]:
        """Continue the operations that are under way, for a part of a turn each."""
        began = time.monotonic()
        if began < self._next:
            yield Done(self._next - began)
            return
        rows = Statement(_UNDER_WAY, {"last": self._last}, StoredBulk).all(connection)
        self._operations = {row.id: self._operations.get(row.id) or self._operation(row) for row in rows}
        moved = False
        for n, row in enumerate(rows, start=1):
            self._last = row.id  # set first: an operation that raises must not get the next turn as well
            until = began + TURN_SECONDS * n / len(rows)
            operation = self._operations[row.id]
            for result in operation.resume(connection, row, until):
                self._ready.update(event.queue for event in result.events)
                yield _acted(result)
            moved |= operation.moved
        ready, self._ready = self._ready, set()
        yield Done(queues=ready)
        pause = (time.monotonic() - began) * REST if moved else TICK_SECONDS
        self._next = time.monotonic() + pause
        yield Done(pause)

    def _operation(self, row: StoredBulk) -> BulkOperation:
        return BulkOperation(row, self._grace_ms)


def _acted(result: CommandResult) -> Done:
    """Result of one run. Its queue is woken once at the end of the turn, not for each of many runs."""
    facts = [Fact.of("run.steered", level="debug", run=event.run_id, status=event.status) for event in result.events]
    return Done(events=result.events, workers=[result.worker] if result.worker else [], facts=facts)
