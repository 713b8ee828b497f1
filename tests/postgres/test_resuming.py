"""A resume ends the run's pause, and no wait on which the run is not parked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models import control_requests, moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.operations import commands
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.postgres.database_setup import DatabaseSetup
from tests.postgres.factory import TENANT

PAUSE, QUESTION = NewWait("pause", "user"), NewWait("ask", "approval", {"prompt": "?", "onDeny": "cancel"})


@pytest.fixture
def run(setup: DatabaseSetup) -> UUID:
    """Return a run that executes again and has passed by a pause of its own that it also waited for."""
    run = setup.accept()
    setup.turn()
    made = setup.begin(run)
    park = moves.park(
        Verb.AWAIT_APPROVAL, run, made.epoch, made.worker, inbox=0, active_ms=1, reason=Reason.APPROVAL_NEEDED,
        waits=[PAUSE, QUESTION], wake="any",
    )  # fmt: skip
    assert park.one(setup.connection)
    with setup.connection.transaction():
        run_state = waits.lock_run(run, TENANT).one(setup.connection)
        assert run_state
        over = waits.decide(run, QUESTION.id, outcome="approved", by="ann").all(setup.connection)
        assert wake_run(setup.connection, run_state, over)
    assert setup.turn() == [run]
    setup.begin(run)
    return run


def _pause(setup: DatabaseSetup, run: UUID) -> Any:
    sql = "SELECT outcome FROM wait WHERE run_id = %s AND key = 'pause'"
    [row] = setup.connection.execute(sql, [run]).fetchall()
    return row["outcome"]


def test_taking_back_a_pause_ends_no_pause_of_the_agent_that_the_run_went_on_without(
    setup: DatabaseSetup, run: UUID
) -> None:
    assert control_requests.request_pause(run, by="pam", comment=None).one(setup.connection)
    done = commands.resume(setup.connection, run, TENANT, by="rob")

    assert done
    assert (done.asked is not None, list(done.events)) == (True, [])
    assert _pause(setup, run) is None


def test_resuming_a_run_that_waits_for_something_else_ends_no_pause_that_it_went_on_without(
    setup: DatabaseSetup, run: UUID
) -> None:
    setup.park(run)
    done = commands.resume(setup.connection, run, TENANT, by="rob")

    assert done
    assert not done.did
    assert (setup.status(run)[0], _pause(setup, run)) == ("PAUSED", None)
