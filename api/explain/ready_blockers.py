"""Blockers of a ready run: gates, limits, workers, and last its turn. Rules without I/O.

Gates, limits and missing workers are shown for every ready run. Taken slots are shown only for a run that nothing else holds:
before that it has no turn.
"""

from datetime import timedelta

from api.explain import fleet, gates, limits
from api.explain.blocker import Blocker, no_scheduler
from api.explain.snapshot import Ready

PUBLISHED_AGAIN = timedelta(seconds=5)
"""A scheduler publishes a ticket again that no worker took for so long."""


def holding(ready: Ready) -> list[Blocker]:
    """Return all blockers except its turn and a missing scheduler."""
    if ready.run.ticket_at is not None:
        return fleet.missing(ready)
    return [*gates.closed(ready), *limits.reached(ready), *fleet.missing(ready)]


def waits_for_turn(ready: Ready, found: list[Blocker]) -> bool:
    """Return whether it only waits for its turn: no blocker was `found`, and no slot is free."""
    return ready.run.ticket_at is None and not found and fleet.slots(ready).free == 0


def further(ready: Ready, found: list[Blocker]) -> list[Blocker]:
    """Return the further blockers of a run that does not wait for its turn."""
    if ready.run.ticket_at is not None:
        return _promoted(ready, found)
    if not ready.led:
        return [no_scheduler()]
    return [] if found else [fleet.promotion(ready)]


def _promoted(ready: Ready, found: list[Blocker]) -> list[Blocker]:
    """Return the blockers of a published ticket; gates that closed later do not hold it."""
    more = [fleet.promoted(ready)]
    if not found and not any(worker.slots > worker.leased for worker in ready.offering):
        more.append(fleet.capacity(ready, None))
    if not ready.led and ready.run.ticket_at is not None and ready.now - ready.run.ticket_at > PUBLISHED_AGAIN:
        more.append(no_scheduler())
    return more
