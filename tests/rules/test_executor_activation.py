"""A ticket executes its run only if its own claim was committed."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID, uuid4

from executor.activation.pipeline import PipelineServices, Ticket, advance
from models import moves
from models.statement import Statement

RUN, WORKER = uuid4(), uuid4()


class _Recorder:
    def write(self, run: UUID, statement: object, **options: Any) -> None:
        """Return no row: another transaction decided first."""


class _Worker:
    """Holds the run in the database, from an activation that ended with an internal error."""

    draining, name, served, versions, worker_id = False, "w", ["echo"], "{}", WORKER
    recorder = _Recorder()

    def __init__(self) -> None:
        self.active: dict[Any, Any] = {}

    def read(self, statement: Statement[Any]) -> list[Any]:
        assert statement.sql != moves.CLAIMED, "only a lost acknowledgement is a reason to ask"
        return [statement.into(agent="echo", epoch=1, ticket_at=None)]


def test_a_ticket_that_comes_again_executes_nothing_though_this_worker_holds_the_run() -> None:
    worker = _Worker()

    assert advance(cast(PipelineServices, worker), Ticket(RUN, 1)) == "dropped:stale"
    assert not worker.active
