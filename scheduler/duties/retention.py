"""Deletion of runs that ended longer ago than they are kept, unless another run may still read their result.

A run is kept while its parent exists, which may be retried and then reads the results of its children; while it has children
that have not ended; and while another run, for example a retry of its parent, holds its result in a wait or a signal.

A sweep reads the runs once in the order of their ids, which is that of their age. It works page by page, remembers its position
and stops at the first run that is too young. So a look costs a page at most, and no look reads young runs.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models.ids import earliest
from models.runs.deletion import forget
from models.runtime.database import Connection, Row
from scheduler.duty import Done, Duty, Fact

SWEEP_SECONDS = 600.0
TURN_SECONDS = 0.025
REST = 1  # times a turn's duration, before the next turn: half of the loop's time is for promotion
PAGE = 500
BATCH, HEAVIEST = (
    100,
    2000,
)  # most runs that one transaction deletes, and most rows that belong to them; at least one run

# Without the parent's tenant in the condition the planner may read a tenant's whole list. The condition on children that have
# not ended matches no partial index on purpose: a plan made for a few open children would later read all of them.
_PAGE = f"""
    SELECT id, seq + step_count + log_lines AS weight, coalesce(finished_at, now()) < now() - %(kept)s
        AND NOT EXISTS (SELECT FROM run AS parent WHERE parent.id = run.parent_run_id AND parent.tenant = run.tenant OFFSET 0)
        AND NOT EXISTS (SELECT FROM run AS child WHERE child.parent_run_id = run.id
            AND coalesce(child.finished_at, 'infinity') = 'infinity' OFFSET 0)
        AND NOT EXISTS (SELECT FROM wait WHERE kind = 'child' AND resolved_at IS NOT NULL AND answer ->> 'run' = run.id::text
            OFFSET 0)
        AND NOT EXISTS (SELECT FROM signal WHERE starts_with(name, 'taxiway.child/') AND consumed_by IS NULL
            AND sender_id = run.id::text OFFSET 0) AS over
    FROM run WHERE id > %(reached)s AND id < %(young)s ORDER BY id LIMIT {PAGE}
    """


class Retention(Duty):
    """Sweeps every ten minutes, in short turns."""

    def __init__(self, days: int) -> None:
        self._kept = timedelta(days=days)
        self._reached = UUID(int=0)
        self._forgotten = 0

    def step(self, connection: Connection) -> Iterator[Done]:
        """Read the next pages, and delete their runs that are no longer kept."""
        began = time.monotonic()
        while time.monotonic() < began + TURN_SECONDS:
            if not self._next_page(connection, began + TURN_SECONDS):
                yield self._finished()
                return
        yield Done((time.monotonic() - began) * REST)

    def _next_page(self, connection: Connection, until: float) -> bool:
        """Delete runs of a page, as far as the time allows; return False at the end of the sweep."""
        young = earliest(datetime.now(UTC) - self._kept)
        page = connection.execute(_PAGE, {"kept": self._kept, "reached": self._reached, "young": young}).fetchall()
        for batch in _batches(page):
            over = [row["id"] for row in batch if row["over"]]
            self._forgotten += len(forget(connection, over)) if over else 0
            self._reached = batch[-1]["id"]
            if time.monotonic() > until:
                return True
        return len(page) == PAGE

    def _finished(self) -> Done:
        facts = [Fact.of("runs.forgotten", runs=self._forgotten)] if self._forgotten else []
        self._reached, self._forgotten = UUID(int=0), 0
        return Done(SWEEP_SECONDS, facts=facts)


def _batches(page: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield the parts of a page that one transaction each may delete; runs that are kept weigh nothing."""
    batch: list[Row] = []
    runs, weight = 0, 0
    for row in page:
        more = row["weight"] if row["over"] else 0
        if runs and (runs == BATCH or weight + more > HEAVIEST):
            yield batch
            batch, runs, weight = [], 0, 0
        batch.append(row)
        runs, weight = runs + row["over"], weight + more
    if batch:
        yield batch
