"""The tag that a run which had started before takes with it when it is promoted: with it, it will queue after its next park.

A new run pays its tenant's share once, when it is accepted. One that wakes again and again pays for each further activation
here, by the same rule: one unit, divided by the tenant's weight, behind the tenant's last and behind the queue's virtual time.
So of many that wake all the time each has its turn, and a tenant that has many of them does not keep others from theirs.
What a leader remembers here dies with it; the next one starts everybody at the virtual time.
"""

from collections.abc import Mapping, Sequence

from scheduler.candidates import Candidate

MOST_TENANTS = 10_000


class NextTags:
    """Remembers the last tag that each tenant's started runs were given, for one leader."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}

    def of(
        self, queue: str, virtual_time: float, chosen: Sequence[Candidate], weights: Mapping[str, float]
    ) -> list[float | None]:
        """Give the next tag of each chosen run; None for a new one, which keeps its own."""
        if len(self._last) > MOST_TENANTS:
            self._last = {key: tag for key, tag in self._last.items() if key[0] != queue or tag > virtual_time}
        return [self._next(queue, virtual_time, run, weights) if run.resumed else None for run in chosen]

    def _next(self, queue: str, virtual_time: float, run: Candidate, weights: Mapping[str, float]) -> float:
        last = self._last.get((queue, run.tenant), 0.0)
        tag = max(last, virtual_time, run.fair_tag) + 1 / weights.get(run.tenant, 1.0)
        self._last[queue, run.tenant] = tag
        return tag
