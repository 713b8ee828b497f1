"""What only a scheduler does, where none does it, and what one will do in a moment: a rule over values, without I/O."""

from api.explain.blocker import Blocker
from api.explain.kinds import Kind


def no_scheduler() -> Blocker:
    """Say that nobody promotes, wakes or recovers runs."""
    return Blocker(Kind.NO_SCHEDULER, "No scheduler is running, so that nothing is promoted, woken or recovered.")
