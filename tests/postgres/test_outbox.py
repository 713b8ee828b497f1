"""What a run's end means to its parent and its children happens exactly once, whoever folds it and whenever he dies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest

from models import children, moves, waits
from models.bus import PROMOTE, Bus, worker_channel
from models.database import Row, set_up
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from scheduler import outbox
from scheduler.outbox import Outbox
from tests.postgres.calls import TENANT
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.inside import Deaf

Connect = Callable[[], Connection]


def _outbox(bus: Deaf | None = None) -> Outbox:
    return Outbox(cast(Bus, bus or Deaf()), 1.0)


def _turn(connection: Connection, bus: Deaf | None = None) -> None:
    """Fold as a new leader does, until nothing is left that could be folded."""
    duty = _outbox(bus)
    for _ in range(20):
        duty._next = 0.0
        duty.step(connection)


def _waits_for(world: World, *keys: str, wake: str = "all") -> Made:
    """A run that is parked until children with these keys have ended."""
    made = world.run("executing", children=len(keys))
    opened = [NewWait(f"wait:child#{key}#1", "child", {"signal": f"{children.CHILD}{key}"}) for key in keys]
    assert _park(made, opened, wake).one(world.connection)
    return made


def _park(made: Made, opened: list[NewWait], wake: str = "all", inbox: int = 0) -> waits.Park:
    at = (made.id, made.epoch, made.worker)
    return waits.Park(
        moves.park(Verb.PAUSE_BY_AGENT, *at, inbox=inbox, active_ms=1, reason=Reason.WAITING, waits=opened, wake=wake)
    )


def _child(world: World, parent: Made, key: str, situation: str = "executing", **columns: Any) -> Made:
    return world.run(situation, parent_run_id=parent.id, parent_key=key, **columns)


def _succeed(connection: Connection, made: Made, result: str = '"done"') -> None:
    assert moves.succeed(made.id, made.epoch, made.worker, n=1, result=result, active_ms=1).one(connection)


def _rows(world: World, target: UUID) -> list[Row]:
    return world.connection.execute("SELECT * FROM outbox WHERE target_run_id = %s", [target]).fetchall()


def _verbs(world: World, run: UUID) -> list[str]:
    return [event["verb"] for event in world.events(run) if event["verb"]]


def _settled(world: World, run: UUID) -> list[Row]:
    rows = world.connection.execute(waits.SETTLED, {"run": run}).fetchall()
    return [{**row, "answer": row["answer"] and json.loads(row["answer"])} for row in rows]


def test_a_parent_goes_on_when_the_last_of_its_children_has_ended(world: World) -> None:
    parent, bus = _waits_for(world, "a", "b"), Deaf()
    one, two = _child(world, parent, "a"), _child(world, parent, "b")
    _succeed(world.connection, two)
    _turn(world.connection, bus)
    assert (world.row(parent.id)["status"], world.row(parent.id)["pending_waits"], bus.woken) == ("PAUSED", 1, [])
    at = (one.id, one.epoch, one.worker)
    error = '{"code": "step_error", "message": "no"}'
    assert moves.fail(*at, n=1, reason="step_error", error=error, active_ms=1).one(world.connection)
    _turn(world.connection, bus)

    assert (world.row(parent.id)["status"], _verbs(world, parent.id)[-1]) == ("RUNNING", "resume")
    assert (PROMOTE, "default") in bus.woken
    answers = [row["answer"] for row in _settled(world, parent.id)]
    assert [(answer["status"], answer["result"]) for answer in answers] == [("SUCCESS", "done"), ("FAILED", None)]
    assert answers[1]["error"] == json.loads(error)
    assert _rows(world, parent.id) == []


def test_a_child_that_ends_before_its_parent_waits_is_kept_until_then(world: World) -> None:
    parent = world.run("executing", children=1)
    _succeed(world.connection, _child(world, parent, "a"))
    _turn(world.connection)
    assert (world.row(parent.id)["inbox"], _rows(world, parent.id)) == (1, [])
    wait = NewWait("wait:child#a#1", "child", {"signal": f"{children.CHILD}a"})
    assert _park(parent, [wait]).one(world.connection) is None, "its inbox has changed since the claim"
    row = _park(parent, [wait], inbox=1).one(world.connection)
    assert row is not None
    assert [event["verb"] for event in row["more"]] == ["resume"]


@pytest.mark.parametrize("parks_first", [True, False])
def test_a_park_and_the_end_of_a_child_at_once_wake_the_parent_once(
    world: World, connect: Connect, parks_first: bool
) -> None:
    parent = world.run("executing", children=1)
    _succeed(world.connection, _child(world, parent, "a"))
    wait = NewWait("wait:child#a#1", "child", {"signal": f"{children.CHILD}a"})
    parking, folding, watcher = connect(), connect(), connect()
    if parks_first:
        parking.execute("BEGIN")
        assert _park(parent, [wait]).one(parking)
        _turn(folding)
        assert len(_rows(world, parent.id)) == 1, "its run is locked: it comes next time"
        parking.execute("COMMIT")
        _turn(folding)
    else:
        folding.execute("BEGIN")
        _outbox()._fold(folding, parent.id)
        parking.execute("BEGIN")
        waiting = Waiting(parking, lambda connection: [_park(parent, [wait]).one(connection) or {}])
        until_blocked(watcher, waiting.pid, folding.info.backend_pid)
        folding.execute("COMMIT")
        assert waiting.rows() == [{}], "the inbox has changed"
        row = _park(parent, [wait], inbox=1).one(parking)
        assert row is not None
        assert len(row["more"]) == 1
        parking.execute("COMMIT")
    assert (world.row(parent.id)["status"], _verbs(world, parent.id).count("resume")) == ("RUNNING", 1)


def test_a_leader_that_dies_in_the_middle_leaves_everything_to_the_next(world: World, connect: Connect) -> None:
    parent = _waits_for(world, "a")
    _succeed(world.connection, _child(world, parent, "a"))
    for _ in range(5):
        dying = connect()
        dying.execute("BEGIN")
        [folded] = _outbox()._fold(dying, parent.id)
        assert [event["verb"] for event in folded.events] == ["resume"]
        dying.close()
    assert (world.row(parent.id)["status"], len(_rows(world, parent.id))) == ("PAUSED", 1)
    _turn(world.connection)
    assert (world.row(parent.id)["status"], _verbs(world, parent.id).count("resume")) == ("RUNNING", 1)


def test_of_two_leaders_the_later_finds_nothing_left(world: World, connect: Connect) -> None:
    parent = _waits_for(world, "a", "b")
    _succeed(world.connection, _child(world, parent, "a"))
    frozen, other = connect(), connect()
    frozen.execute("BEGIN")
    _outbox()._fold(frozen, parent.id)
    _turn(other)
    assert len(_rows(world, parent.id)) == 1
    frozen.execute("COMMIT")
    _turn(other)
    assert (world.row(parent.id)["pending_waits"], world.row(parent.id)["inbox"]) == (1, 1)


def test_a_parent_that_has_ended_hears_nothing_and_never_changes(world: World) -> None:
    parent = world.run("succeeded", children=1)
    _succeed(world.connection, _child(world, parent, "a"))
    gone = Made(new_id(), 1, new_id())
    _succeed(world.connection, _child(world, gone, "a"))
    before = world.whole(parent.id)
    _turn(world.connection)
    assert (world.whole(parent.id), _rows(world, parent.id), _rows(world, gone.id)) == (before, [], [])


def test_a_child_that_goes_on_as_another_run_is_not_told(world: World) -> None:
    parent = _waits_for(world, "a")
    first = _child(world, parent, "a", continued_as=new_id())
    _succeed(world.connection, first)
    assert _rows(world, parent.id) == []
    last = _child(world, parent, "a")
    _succeed(world.connection, last, '"last"')
    _turn(world.connection)
    assert [row["answer"]["result"] for row in _settled(world, parent.id)] == ["last"]


def test_what_cannot_be_folded_holds_up_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(outbox, "fact", lambda name, **_: said.append(name))
    poisoned, parent = world.run("queued"), _waits_for(world, "a")
    world.insert(
        "outbox", {"id": new_id(), "tenant": TENANT, "target_run_id": poisoned.id, "effect": "of a later version"}
    )
    _succeed(world.connection, _child(world, parent, "a"))
    _turn(world.connection)
    assert world.row(parent.id)["status"] == "RUNNING"
    assert (said.count("outbox.failed"), len(_rows(world, poisoned.id))) == (1, 1)
    world.connection.execute("DELETE FROM outbox WHERE target_run_id = %s", [poisoned.id])


# ------------------------------------------------------------------------------------------------------------- canceling
def _canceled(connection: Connection, made: Made) -> None:
    assert moves.cancel_idle(made.id, TENANT, reason=Reason.BY_USER, by="ann", comment=None).one(connection)


@pytest.mark.parametrize(
    "situation", ["queued", "promoted", "ready", "paused for approval", "paused by user", "auth required"]
)
def test_children_that_nobody_executes_are_canceled_with_their_parent(world: World, situation: str) -> None:
    parent = world.run("paused by agent", children=2)
    child, ended = _child(world, parent, "a", situation), _child(world, parent, "b", "failed")
    before = world.whole(ended.id)
    _canceled(world.connection, parent)
    _turn(world.connection)
    row = world.row(child.id)
    assert (row["status"], row["reason"], row["ticket_at"]) == ("CANCELED", "by_parent", None)
    assert (world.whole(ended.id), _rows(world, parent.id)) == (before, [])


def test_a_child_that_executes_is_asked_to_end_and_its_worker_is_woken(world: World) -> None:
    parent, bus = world.run("paused by agent", children=1), Deaf()
    child = _child(world, parent, "a", "pausing")
    _canceled(world.connection, parent)
    _turn(world.connection, bus)
    row = world.row(child.id)
    assert (row["control_request"], row["control_by"], row["control_grace_ms"]) == ("cancel", None, 1000)
    assert (worker_channel(child.worker), "") in bus.woken
    released = moves.release(*_at(child), verb=Verb.RECOVER, reason=Reason.HOST_LOST).one(world.connection)
    assert released is not None
    assert (released["status"], released["reason"]) == ("CANCELED", "by_parent")


def _at(made: Made) -> tuple[UUID, int, UUID]:
    return made.id, made.epoch, made.worker


def test_a_cancel_travels_down_by_the_ends_that_it_causes(world: World) -> None:
    grandparent = world.run("paused by agent", children=1)
    parent = _child(world, grandparent, "a", "paused by agent", children=1)
    child = _child(world, parent, "a", "paused for approval", children=1)
    grandchild = _child(world, child, "a", "queued")
    _canceled(world.connection, grandparent)
    _turn(world.connection)
    assert [world.row(made.id)["status"] for made in (parent, child, grandchild)] == ["CANCELED"] * 3


def test_a_child_that_somebody_decides_about_is_canceled_next_time(world: World, connect: Connect) -> None:
    parent = world.run("paused by agent", children=2)
    busy, idle, holder = _child(world, parent, "a", "queued"), _child(world, parent, "b", "queued"), connect()
    _canceled(world.connection, parent)
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [busy.id])
    _turn(world.connection)
    assert (world.row(busy.id)["status"], world.row(idle.id)["status"]) == ("QUEUED", "CANCELED")
    assert len(_rows(world, parent.id)) == 1
    holder.execute("COMMIT")
    _turn(world.connection)
    assert (world.row(busy.id)["status"], _rows(world, parent.id)) == ("CANCELED", [])


def test_very_many_children_are_canceled_some_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = children._TO_CANCEL.replace(f"LIMIT {children.CANCELED_AT_ONCE}", "LIMIT 2")
    monkeypatch.setattr(children, "_TO_CANCEL", limited)
    parent = world.run("paused by agent", children=5)
    made = [_child(world, parent, str(n), "queued") for n in range(5)]
    _canceled(world.connection, parent)

    def statuses() -> list[str]:
        return sorted(world.row(one.id)["status"] for one in made)

    duty = _outbox()
    duty.step(world.connection)
    assert statuses() == ["CANCELED"] * 2 + ["QUEUED"] * 3
    _turn(world.connection)
    assert (statuses(), _rows(world, parent.id)) == (["CANCELED"] * 5, [])


# ------------------------------------------------------------------------------------------------------------------ speed
def test_what_is_folded_is_found_by_indexes(own_world: World) -> None:
    connection = own_world.connection
    set_up(connection)
    parent = own_world.run("paused by agent", children=3)
    for n in range(3):
        _succeed(connection, _child(own_world, parent, str(n)))
    connection.execute("VACUUM ANALYZE outbox")
    plans = {
        outbox._TARGETS: ({"aside": [parent.id]}, "outbox_pkey"),
        outbox._ROWS: ({"run": parent.id}, "outbox_target"),
        outbox._LOCK: ({"run": parent.id}, "run_pkey"),
        children._TO_CANCEL: ({"run": parent.id}, "run_parent"),
        children._ANY_LEFT: ({"run": parent.id}, "run_parent"),
        children._KEEP_ENDS: ({"run": parent.id, "rows": [new_id()]}, "outbox_target"),
        outbox._DELETE: ({"run": parent.id, "rows": [new_id()]}, "outbox_target"),
    }
    for sql, (params, index) in plans.items():
        plan = str(connection.execute(f"EXPLAIN {sql}", params).fetchall())
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan


def test_a_thousand_children_that_end_one_by_one_are_folded_in_little_time(own_world: World) -> None:
    keys = [str(n) for n in range(1000)]
    parent = _waits_for(own_world, *keys)
    with own_world.connection.transaction():
        made = [_child(own_world, parent, key, worker=parent.worker) for key in keys]
    duty, turns = _outbox(), 0
    for n, child in enumerate(made):
        _succeed(own_world.connection, child)
        if n % 20 == 19:
            duty._next, turns = 0.0, turns + 1
            duty.step(own_world.connection)
    row = own_world.row(parent.id)
    assert (row["status"], row["inbox"], turns) == ("RUNNING", 50, 50)
    assert _verbs(own_world, parent.id).count("resume") == 1


def test_children_that_end_fast_are_folded_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, duty = _waits_for(world, "a", "b"), _outbox()
    _succeed(world.connection, _child(world, parent, "a"))
    began = time.monotonic()
    rest = duty.step(world.connection)
    took = time.monotonic() - began
    assert outbox.GATHER_SECONDS <= rest <= max(outbox.GATHER_SECONDS, outbox.REST * took)
    _succeed(world.connection, _child(world, parent, "b"))
    assert duty.step(world.connection) > 0
    assert world.row(parent.id)["status"] == "PAUSED", "not before its time"
    duty._next = 0.0
    duty.step(world.connection)
    assert world.row(parent.id)["status"] == "RUNNING"


def test_a_lost_session_ends_the_duty(world: World, connect: Connect) -> None:
    lost = connect()
    parent = _waits_for(world, "a")
    _succeed(world.connection, _child(world, parent, "a"))
    world.connection.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
    with pytest.raises(psycopg.Error):
        _outbox().step(lost)
