"""Chooses what to promote next: a rule over values, without I/O.

The highest waiting priority goes first. Within it, runs that were started before (resumed, recovered, handed back) go
before new ones, but of any four consecutive promotions of a queue at least one is a new run while one waits. Then the
fair tag decides between tenants, and age.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.candidates import Candidate

RESUMED_IN_A_ROW = 3


@dataclass(slots=True)
class Turn:
    """How many started runs a queue has promoted since its last new one."""

    resumed_in_a_row: int = 0


def choose(candidates: Iterable[Candidate], free: int, turn: Turn) -> list[Candidate]:
    """Choose at most `free` candidates, in the order in which they are promoted; `turn` is carried on from call to call."""
    order = sorted(candidates, key=lambda run: (-run.priority, run.fair_tag, run.id))
    chosen: list[Candidate] = []
    for priority in dict.fromkeys(run.priority for run in order):
        resumed = deque(run for run in order if run.priority == priority and run.resumed)
        new = deque(run for run in order if run.priority == priority and not run.resumed)
        while (resumed or new) and len(chosen) < free:
            if resumed and (not new or turn.resumed_in_a_row < RESUMED_IN_A_ROW):
                chosen.append(resumed.popleft())
                turn.resumed_in_a_row += 1
            else:
                chosen.append(new.popleft())
                turn.resumed_in_a_row = 0
    return chosen
