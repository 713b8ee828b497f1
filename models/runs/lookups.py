"""Looking for what ends the waits of an executing run: an agent asks before it parks, so that what is there parks nobody.

The look is a read without a lock, and only a hint: one that finds nothing is followed by a park, which is guarded as always. One
that finds something opens the waits as `models.runs.opening` does, and what is there ends them in that transaction.
"""

from collections.abc import Sequence

from models.moves import NewWait
from models.runs.recording import Fence
from models.statement import Statement

# Each part is one look into an index by the run's id, as far as it takes.
NEWS = """
    SELECT (SELECT count(*) FROM (SELECT FROM signal
            WHERE run_id = %(run)s AND consumed_by IS NULL AND name = ANY(%(signals)s) LIMIT %(enough)s) AS there)
        + (SELECT count(*) FROM (SELECT FROM wait WHERE run_id = %(run)s AND key = ANY(%(keys)s)
            AND (resolved_at IS NOT NULL AND kind <> 'code' OR resolved_at IS NULL AND on_due IS NOT NULL AND due_at <= now())
            LIMIT %(enough)s) AS over) >= %(enough)s AS news
    """


def news(fence: Fence, new: Sequence[NewWait], enough: int) -> Statement[bool]:
    """Read whether `enough` of the waits that a run is about to park for may be over already."""
    names = [
        str(wait.request["signal"]) for wait in new if wait.kind in ("signal", "child") and "signal" in wait.request
    ]
    at = {"run": fence.run, "keys": [wait.key for wait in new], "signals": names, "enough": enough}
    return Statement(NEWS, at, bool)


def due(new: Sequence[NewWait]) -> int:
    """Return of how many of these the time is over as soon as they are opened."""
    return sum(wait.due_ms is not None and wait.due_ms <= 0 for wait in new)
