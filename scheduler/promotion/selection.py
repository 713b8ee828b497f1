"""Choice of the runs to promote next: a rule over values, without I/O.

The highest waiting priority goes first. Within it, runs that were started before (resumed, recovered, handed back) go
before new ones, but of any four consecutive promotions of a queue at least one is a new run while one waits. Then the
fair tag decides between tenants, and age.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from models.promotion.tickets import RESUMED_IN_A_ROW
from scheduler.promotion.candidates import Candidate
from scheduler.promotion.headroom import Room


@dataclass(slots=True)
class Turn:
    """Number of started runs that a queue has promoted since its last new one."""

    resumed_in_a_row: int = 0


def choose(candidates: Iterable[Candidate], room: Room, turn: Turn) -> list[Candidate]:
    """Return the candidates for which there is room, in the order of promotion; updates `turn` and `room`."""
    order = sorted(candidates, key=lambda run: (-run.priority, run.fair_tag, run.id))
    chosen: list[Candidate] = []
    for _, alike in groupby(order, key=lambda run: run.priority):
        resumed, new = deque[Candidate](), deque[Candidate]()
        for run in alike:
            (resumed if run.resumed else new).append(run)
        while (runs := _next(resumed, new, room, turn)) is not None:
            run = runs.popleft()
            turn.resumed_in_a_row = turn.resumed_in_a_row + 1 if run.resumed else 0
            room.take(run)
            chosen.append(run)
    return chosen


def _next(resumed: deque[Candidate], new: deque[Candidate], room: Room, turn: Turn) -> deque[Candidate] | None:
    """Return the list whose turn it is, after dropping the heads for which there is no room."""
    for runs in (resumed, new):
        while runs and not room.takes(runs[0]):
            runs.popleft()
    if resumed and (not new or turn.resumed_in_a_row < RESUMED_IN_A_ROW):
        return resumed
    return new or None
