"""The effects of a run's end on its parent and children happen exactly once, whichever leader folds them and dies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest

from models import moves
from models.ids import new_id
from models.moves import NewWait
from models.runs import children
from models.runtime.database import Row
from models.waiting import waits
from scheduler.duties import outbox
from tests.postgres.calls import TENANT
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.families import child_of, duty, effects_on, park, succeed, turn, verbs, waits_for
from tests.postgres.stepping import do

Connect = Callable[[], Connection]


def _settled(world: World, run: UUID) -> list[Row]:
    rows = world.connection.execute(waits.SETTLED, {"run": run}).fetchall()
    return [{**row, "answer": row["answer"] and json.loads(row["answer"])} for row in rows]


def test_a_parent_goes_on_when_the_last_of_its_children_has_ended(world: World) -> None:
    parent = waits_for(world, "a", "b")
    one, two = child_of(world, parent, "a"), child_of(world, parent, "b")
    succeed(world.connection, two)
    done = turn(world.connection)
    assert (world.row(parent.id)["status"], world.row(parent.id)["pending_waits"]) == ("PAUSED", 1)
    assert (done.queues, done.workers) == ([], [])
    at = (one.id, one.epoch, one.worker)
    error = '{"code": "step_error", "message": "no"}'
    assert moves.fail(*at, n=1, reason="step_error", error=error, active_ms=1).one(world.connection)
    done = turn(world.connection)

    assert (world.row(parent.id)["status"], verbs(world, parent.id)[-1]) == ("RUNNING", "resume")
    assert "default" in done.queues
    answers = [row["answer"] for row in _settled(world, parent.id)]
    assert [(answer["status"], answer["result"]) for answer in answers] == [("SUCCESS", "done"), ("FAILED", None)]
    assert answers[1]["error"] == json.loads(error)
    assert effects_on(world, parent.id) == []


def test_a_child_that_ends_before_its_parent_waits_is_kept_until_then(world: World) -> None:
    parent = world.run("executing", children=1)
    succeed(world.connection, child_of(world, parent, "a"))
    turn(world.connection)
    assert (world.row(parent.id)["inbox"], effects_on(world, parent.id)) == (1, [])
    wait = NewWait("wait:child#a#1", "child", {"signal": f"{children.CHILD}a"})
    assert park(parent, [wait]).one(world.connection) is None, "its inbox has changed since the claim"
    row = park(parent, [wait], inbox=1).one(world.connection)
    assert row is not None
    assert [event.verb for event in row.events[1:]] == ["resume"]


@pytest.mark.parametrize("parks_first", [True, False])
def test_a_park_and_the_end_of_a_child_at_once_wake_the_parent_once(
    world: World, connect: Connect, parks_first: bool
) -> None:
    parent = world.run("executing", children=1)
    succeed(world.connection, child_of(world, parent, "a"))
    wait = NewWait("wait:child#a#1", "child", {"signal": f"{children.CHILD}a"})
    parking, folding, watcher = connect(), connect(), connect()
    if parks_first:
        parking.execute("BEGIN")
        assert park(parent, [wait]).one(parking)
        turn(folding)
        assert len(effects_on(world, parent.id)) == 1, "its run is locked: it comes next time"
        parking.execute("COMMIT")
        turn(folding)
    else:
        folding.execute("BEGIN")
        duty()._fold(folding, parent.id)
        parking.execute("BEGIN")
        waiting = Waiting(parking, lambda connection: [park(parent, [wait]).one(connection) or {}])
        until_blocked(watcher, waiting.pid, folding.info.backend_pid)
        folding.execute("COMMIT")
        assert waiting.rows() == [{}], "the inbox has changed"
        row = park(parent, [wait], inbox=1).one(parking)
        assert row is not None
        assert len(row.events) == 2
        parking.execute("COMMIT")
    assert (world.row(parent.id)["status"], verbs(world, parent.id).count("resume")) == ("RUNNING", 1)


def test_a_leader_that_dies_in_the_middle_leaves_everything_to_the_next(world: World, connect: Connect) -> None:
    parent = waits_for(world, "a")
    succeed(world.connection, child_of(world, parent, "a"))
    for _ in range(5):
        dying = connect()
        dying.execute("BEGIN")
        [folded] = duty()._fold(dying, parent.id)
        assert [event.verb for event in folded.events] == ["resume"]
        dying.close()
    assert (world.row(parent.id)["status"], len(effects_on(world, parent.id))) == ("PAUSED", 1)
    turn(world.connection)
    assert (world.row(parent.id)["status"], verbs(world, parent.id).count("resume")) == ("RUNNING", 1)


def test_of_two_leaders_the_later_finds_nothing_left(world: World, connect: Connect) -> None:
    parent = waits_for(world, "a", "b")
    succeed(world.connection, child_of(world, parent, "a"))
    frozen, other = connect(), connect()
    frozen.execute("BEGIN")
    duty()._fold(frozen, parent.id)
    turn(other)
    assert len(effects_on(world, parent.id)) == 1
    frozen.execute("COMMIT")
    turn(other)
    assert (world.row(parent.id)["pending_waits"], world.row(parent.id)["inbox"]) == (1, 1)


def test_a_parent_that_has_ended_hears_nothing_and_never_changes(world: World) -> None:
    parent = world.run("succeeded", children=1)
    succeed(world.connection, child_of(world, parent, "a"))
    gone = Made(new_id(), 1, new_id())
    succeed(world.connection, child_of(world, gone, "a"))
    before = world.whole(parent.id)
    turn(world.connection)
    assert (world.whole(parent.id), effects_on(world, parent.id), effects_on(world, gone.id)) == (before, [], [])


def test_a_child_that_goes_on_as_another_run_is_not_told(world: World) -> None:
    parent = waits_for(world, "a")
    first = child_of(world, parent, "a", continued_as=new_id())
    succeed(world.connection, first)
    assert effects_on(world, parent.id) == []
    last = child_of(world, parent, "a")
    succeed(world.connection, last, '"last"')
    turn(world.connection)
    assert [row["answer"]["result"] for row in _settled(world, parent.id)] == ["last"]


def test_what_cannot_be_folded_holds_up_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(outbox, "fact", lambda name, **_: said.append(name))
    poisoned, parent = world.run("queued"), waits_for(world, "a")
    world.insert(
        "outbox", {"id": new_id(), "tenant": TENANT, "target_run_id": poisoned.id, "effect": "of a later version"}
    )
    succeed(world.connection, child_of(world, parent, "a"))
    turn(world.connection)
    assert world.row(parent.id)["status"] == "RUNNING"
    assert (said.count("outbox.failed"), len(effects_on(world, poisoned.id))) == (1, 1)
    world.connection.execute("DELETE FROM outbox WHERE target_run_id = %s", [poisoned.id])


def test_a_thousand_children_that_end_one_by_one_are_folded_by_the_turn(own_world: World) -> None:
    keys = [str(n) for n in range(1000)]
    parent = waits_for(own_world, *keys)
    with own_world.connection.transaction():
        made = [child_of(own_world, parent, key, worker=parent.worker) for key in keys]
    folding = duty()
    for n, child in enumerate(made):
        succeed(own_world.connection, child)
        if n % 20 == 19:
            folding._next = 0.0
            do(folding, own_world.connection)
    row = own_world.row(parent.id)
    assert (row["status"], row["inbox"]) == ("RUNNING", 50), "one knock for the twenty of a turn"
    assert verbs(own_world, parent.id).count("resume") == 1


def test_children_that_end_fast_are_folded_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, folding = waits_for(world, "a", "b"), duty()
    succeed(world.connection, child_of(world, parent, "a"))
    began = time.monotonic()
    rest = do(folding, world.connection).wait_s
    took = time.monotonic() - began
    assert outbox.GATHER_SECONDS <= rest <= max(outbox.GATHER_SECONDS, outbox.REST * took)
    succeed(world.connection, child_of(world, parent, "b"))
    assert do(folding, world.connection).wait_s > 0
    assert world.row(parent.id)["status"] == "PAUSED", "not before its time"
    folding._next = 0.0
    do(folding, world.connection)
    assert world.row(parent.id)["status"] == "RUNNING"


def test_a_lost_session_ends_the_duty(world: World, connect: Connect) -> None:
    lost = connect()
    parent = waits_for(world, "a")
    succeed(world.connection, child_of(world, parent, "a"))
    world.connection.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
    with pytest.raises(psycopg.Error):
        do(duty(), lost)
