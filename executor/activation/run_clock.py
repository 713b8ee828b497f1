"""Clock of a run: the milliseconds that an async agent's code sees, across activations, parks and machines.

It continues from the newest entry that the run itself recorded, by the database's time. Entries that a retry took over were
recorded before the run was made: after those, the clock starts with the run.
"""

from collections.abc import Iterator, Sequence

from models.promotion.claim import Claim
from models.runtime.database import Row

Entry = tuple[float, float]
"""A time of the run's clock, and the time of its commit in the database, in milliseconds since 1970."""


def clock_ms(claim: Claim, steps: Sequence[Row], turns: Sequence[Row]) -> float:
    """Return the clock's time at which the claim's row was read; never less than a recorded time."""
    entries = [*_entries(steps, "finishedMs"), *_entries(turns, "committedMs")]
    own = [(committed, at) for at, committed in entries if committed >= claim.created_ms]
    latest: float = max((row["at"] for row in (*steps, *turns) if row["at"] is not None), default=0.0)
    if own:
        committed, at = max(own)
        return max(0.0, latest, at + claim.now_ms - committed)
    return latest + max(0.0, claim.now_ms - claim.started_ms)


def _entries(rows: Sequence[Row], moment: str) -> Iterator[Entry]:
    for row in rows:
        if row["at"] is not None and row[moment] is not None:
            yield row["at"], row[moment]
