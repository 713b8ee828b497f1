"""A cancel that its worker does not answer in time is completed without the worker, and fences it."""

from __future__ import annotations

import pytest

from scheduler.duties.overdue_cancels import OverdueCancels
from tests.postgres.factory import World
from tests.postgres.stepping import do


def test_a_cancel_that_its_worker_does_not_answer_is_completed_and_fences_it(own_world: World) -> None:
    made = own_world.run("overdue", step_in_flight="a##1")
    done = do(OverdueCancels(), own_world.connection)

    row, end = own_world.row(made.id), own_world.events(made.id)[-1]
    assert (row["status"], row["epoch"], row["lease_worker"]) == ("CANCELED", made.epoch + 1, None)
    assert (end["type"], end["data"]["stepInFlight"], end["data"]["stopped"]) == ("end", "a##1", "fenced")
    assert (done.queues, [event.status for event in done.events]) == (["default"], ["CANCELED"])


@pytest.mark.parametrize("situation", ["canceling", "executing", "pausing"])
def test_what_still_has_time_is_not_completed(own_world: World, situation: str) -> None:
    made = own_world.run(situation)
    before = own_world.whole(made.id)
    do(OverdueCancels(), own_world.connection)
    assert own_world.whole(made.id) == before


def test_the_grace_that_was_asked_for_counts(own_world: World) -> None:
    made = own_world.run("overdue", control_grace_ms=60_000)
    do(OverdueCancels(), own_world.connection)
    assert own_world.row(made.id)["status"] == "RUNNING"
