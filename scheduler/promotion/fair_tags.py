"""Fair tags of runs that had started before: a promotion assigns the tag with which the run queues after its next park.

A new run pays its tenant's share once, when it is accepted. A run that wakes repeatedly pays for each further activation
here, by the same rule: one unit, divided by the tenant's weight, after the tenant's last tag and after the virtual time.
So each of many waking runs gets its turn, and a tenant with many of them does not starve other tenants.
The memory ends with its leader; the next leader starts every tenant at the virtual time.
"""

from collections.abc import Mapping, Sequence

from models.runtime.database import Connection
from scheduler.promotion.candidates import Candidate

MOST_TENANTS = 10_000
_TIMES = "SELECT priority, tag FROM virtual_time WHERE queue = %(queue)s"


class NextTags:
    """Remembers the last tag of each tenant's started runs, for one leader."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int, str], float] = {}

    def of(
        self, connection: Connection, queue: str, chosen: Sequence[Candidate], weights: Mapping[str, float]
    ) -> list[float | None]:
        """Return the next tag of each chosen run; None for a new run, which keeps its own."""
        if not any(run.resumed for run in chosen):
            return [None] * len(chosen)
        times = {row["priority"]: row["tag"] for row in connection.execute(_TIMES, {"queue": queue}).fetchall()}
        if len(self._last) > MOST_TENANTS:
            self._forget(queue, times)
        return [self._next(queue, times, run, weights) if run.resumed else None for run in chosen]

    def _forget(self, queue: str, times: Mapping[int, float]) -> None:
        """Forget tenants whose next run would begin at the virtual time anyway."""
        self._last = {at: tag for at, tag in self._last.items() if at[0] != queue or tag > times.get(at[1], 0.0)}

    def _next(self, queue: str, times: Mapping[int, float], run: Candidate, weights: Mapping[str, float]) -> float:
        place = queue, run.priority, run.tenant
        tag = max(self._last.get(place, 0.0), times.get(run.priority, 0.0), run.fair_tag)
        self._last[place] = tag = tag + 1 / weights.get(run.tenant, 1.0)
        return tag
