"""A resume ends pauses of an executing run: the agent's own, and one that is only recorded."""

from __future__ import annotations

from uuid import UUID

import pytest

from models import control_requests, moves
from models.operations import commands
from models.waiting.run_state import ResolvedWait
from tests.postgres.awaiting import (
    Connect,
    asks,
    awaiting,
    one_behind_the_other,
    outcome_of,
    own_pause,
    parks,
    stands_of,
    word,
)
from tests.postgres.calls import TENANT
from tests.postgres.duel import Connection
from tests.postgres.factory import World


def _resume(world: World, run: UUID) -> commands.CommandResult:
    with world.connection.transaction():
        done = commands.resume(world.connection, run, TENANT, by="rob")
    assert done is not None
    return done


def test_a_resume_ends_the_agents_own_pause_while_the_run_executes(world: World) -> None:
    pause, ask = own_pause(), asks()
    made = awaiting(world, pause, ask)
    done = _resume(world, made.id)
    assert (done.did, list(done.events), done.worker) == (True, [], made.worker)
    assert (outcome_of(world, pause), outcome_of(world, ask)) == (("resumed", "rob"), (None, None))
    assert stands_of(world, made)[0] == "RUNNING"
    assert not _resume(world, made.id).did, "there is no pause any more"


def test_a_resume_ends_a_recorded_pause_and_the_agents_own_together(world: World) -> None:
    pause = own_pause()
    made = awaiting(world, pause, situation="pausing")
    done = _resume(world, made.id)
    assert (done.did, bool(done.asked), done.worker) == (True, True, made.worker)
    assert (outcome_of(world, pause)[0], world.row(made.id)["control_request"]) == ("resumed", None)


def test_a_resume_that_only_takes_a_recorded_pause_back_wakes_no_worker(world: World) -> None:
    made = awaiting(world, word(), situation="pausing")
    done = _resume(world, made.id)
    assert (done.did, done.worker, list(done.over)) == (True, None, [])


def test_a_resume_ends_nothing_of_a_run_that_is_to_be_canceled(world: World) -> None:
    pause = own_pause()
    made = awaiting(world, pause, situation="canceling")
    assert not _resume(world, made.id).did
    assert outcome_of(world, pause)[0] is None


def test_a_resume_ends_no_pause_that_an_earlier_activation_opened(world: World) -> None:
    pause = own_pause()
    made = awaiting(world, pause)
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    assert not _resume(world, made.id).did
    assert outcome_of(world, pause)[0] is None


def test_a_user_who_paused_the_run_itself_ends_that_first(world: World) -> None:
    """The agent opens its own pause again in the next activation, and still waits for a resume."""
    pause = own_pause()
    made = awaiting(world, pause, situation="pausing")
    assert moves.pause_executing(made.id, made.epoch, made.worker, active_ms=1).one(world.connection)
    done = _resume(world, made.id)
    assert [event.verb for event in done.events] == ["resume"]
    assert outcome_of(world, pause)[0] is None


@pytest.mark.parametrize("resume_first", [True, False])
def test_a_resume_that_meets_a_park_ends_the_pause_once(world: World, connect: Connect, resume_first: bool) -> None:
    pause = own_pause()
    made = awaiting(world, pause)

    def resume(connection: Connection) -> list[ResolvedWait]:
        done = commands.resume(connection, made.id, TENANT, by="rob")
        assert done is not None
        return list(done.over)

    acts = (resume, parks(made, pause, inbox=0)) if resume_first else (parks(made, pause, inbox=0), resume)
    first, second = one_behind_the_other(connect, *acts)
    assert (len(first), len(second)) == (1, 0 if resume_first else 1)
    row = world.row(made.id)
    assert (outcome_of(world, pause)[0], row["status"], row["lease_worker"] is None) == (
        "resumed",
        "RUNNING",
        not resume_first,
    )


def test_a_pause_that_is_asked_for_wakes_the_worker_as_before(world: World) -> None:
    made = awaiting(world, own_pause())
    with world.connection.transaction():
        done = commands.pause(world.connection, made.id, TENANT, by="pam", comment=None)
    assert done is not None
    assert done.worker == made.worker
    assert control_requests.take_pause_back(made.id).one(world.connection)
