"""What folding an effect on another run came to: the rows of `outbox` that one transaction brings to their target."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.database import Row


@dataclass(frozen=True, slots=True)
class Folded:
    """`events` are told after the commit, `workers` are woken to look at their requests.

    What is not `done` stays in the outbox and is folded again: an effect on very many runs is brought to some at a time.
    """

    events: Sequence[Row] = ()
    workers: Sequence[UUID] = ()
    done: bool = True
