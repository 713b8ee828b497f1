"""Forgets runs that ended longer ago than they are kept, unless somebody may still ask for what came of them.

A run is kept while its parent is there, which may be tried again and then asks what became of its children; while it has
children that have not ended; and while another run, a retry of its parent say, was told how it ended.

Runs are looked at in the order of their ids, which is that of their age: a sweep goes once from the oldest to those that are too
young, some at a time, and remembers where it was. So no look costs more than a page, and none is at what is young.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models.ids import earliest
from models.runs.deletion import forget
from models.runtime.database import Connection, Row
from models.runtime.facts import fact

SWEEP_SECONDS = 600.0
TURN_SECONDS = 0.025
REST = 1  # as long as a turn took, before the next: half of the loop's time is promotion's
PAGE = 500
BATCH, HEAVIEST = 100, 2000  # runs that one transaction deletes, and rows that belong to them: at least one run

# A parent is of the same tenant: said, because the list of a tenant would be read whole without it. A child that has not ended is
# asked for in words that no partial index has: a few of them today would make a plan that reads all of them tomorrow.
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


class Retention:
    """Sweeps every ten minutes, in short turns."""

    def __init__(self, days: int) -> None:
        self._kept = timedelta(days=days)
        self._reached = UUID(int=0)
        self._forgotten = 0

    def step(self, connection: Connection) -> float:
        """Look at the next pages, and forget what is over."""
        began = time.monotonic()
        while time.monotonic() < began + TURN_SECONDS:
            if not self._next_page(connection, began + TURN_SECONDS):
                return self._rest()
        return (time.monotonic() - began) * REST

    def _next_page(self, connection: Connection, until: float) -> bool:
        """Forget what is over on a page, as far as the time allows; False at the end of the sweep."""
        young = earliest(datetime.now(UTC) - self._kept)
        page = connection.execute(_PAGE, {"kept": self._kept, "reached": self._reached, "young": young}).fetchall()
        for batch in _batches(page):
            over = [row["id"] for row in batch if row["over"]]
            self._forgotten += len(forget(connection, over)) if over else 0
            self._reached = batch[-1]["id"]
            if time.monotonic() > until:
                return True
        return len(page) == PAGE

    def _rest(self) -> float:
        if self._forgotten:
            fact("runs.forgotten", runs=self._forgotten)
        self._reached, self._forgotten = UUID(int=0), 0
        return SWEEP_SECONDS


def _batches(page: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut a page into what one transaction may delete; what is not over weighs nothing."""
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
