"""What holds a ready run, all of it: gates, limits, workers, and last its turn. A rule over values, without I/O.

What keeps a run from ever being looked at is said of every ready run; that all slots are taken, of one only that nothing else
holds: before that it has no turn.
"""

from datetime import timedelta

from api.explain import fleet, gates, limits
from api.explain.blocker import Blocker, no_scheduler
from api.explain.snapshot import Ready

PUBLISHED_AGAIN = timedelta(seconds=5)
"""A ticket that nobody took for so long is published again, by a scheduler."""


def holding(ready: Ready) -> list[Blocker]:
    """Say what holds it, apart from its turn and from the lack of a scheduler."""
    if ready.run.ticket_at is not None:
        return fleet.missing(ready)
    return [*gates.closed(ready), *limits.reached(ready), *fleet.missing(ready)]


def its_turn(ready: Ready, found: list[Blocker]) -> bool:
    """Whether it merely waits for its turn: nothing of what was `found` holds it, and no slot is free."""
    return ready.run.ticket_at is None and not found and fleet.slots(ready).free == 0


def then(ready: Ready, found: list[Blocker]) -> list[Blocker]:
    """Say what else there is for a run that does not wait for its turn."""
    if ready.run.ticket_at is not None:
        return _promoted(ready, found)
    if not ready.led:
        return [no_scheduler()]
    return [] if found else [fleet.promotion(ready)]


def _promoted(ready: Ready, found: list[Blocker]) -> list[Blocker]:
    """Say that its ticket is out; whether a gate has closed since makes no difference to who takes it."""
    more = [fleet.promoted(ready)]
    if not found and not any(worker.slots > worker.leased for worker in ready.offering):
        more.append(fleet.capacity(ready, None))
    if not ready.led and ready.run.ticket_at is not None and ready.now - ready.run.ticket_at > PUBLISHED_AGAIN:
        more.append(no_scheduler())
    return more
