"""The end of a run and the start of its successor are one transaction; a pending request takes precedence."""

from __future__ import annotations

from typing import Any

import pytest

from models import control_requests, moves
from models.ids import new_id
from models.runs.children import CHILD
from models.runs.successors import Restart
from models.runtime.database import Row
from models.stored_event import Written
from tests.postgres.calls import TENANT, fence
from tests.postgres.conftest import Connect
from tests.postgres.duel import duel
from tests.postgres.factory import Made, World


def _restart(world: World, made: Made, n: int = 1) -> Written | None:
    with world.connection.transaction():
        return Restart(fence(made), n, '{"n": 2}', 5).one(world.connection)


def _heirs(world: World, **where: Any) -> list[Row]:
    [(name, value)] = where.items()
    return world.connection.execute(f"SELECT * FROM run WHERE {name} = %s ORDER BY id", [value]).fetchall()


def test_a_successor_takes_over_in_the_same_moment(world: World) -> None:
    parent = new_id()
    made = world.run(
        "executing",
        parent_run_id=parent,
        parent_key="k",
        timeout_ms=5,
        approval_strategy="ON_START",
        window_name="night",
    )
    row = _restart(world, made)
    assert row is not None
    assert [event.verb for event in row.events[1:]] == ["enqueue"]
    old = world.row(made.id)
    assert (old["status"], old["active_ms"], world.payload(made.id)["result"]) == ("SUCCESS", 5, None)
    [heir] = _heirs(world, id=old["continued_as"])
    assert (heir["status"], heir["parent_run_id"], heir["parent_key"]) == ("QUEUED", parent, "k")
    kept = ("timeout_ms", "approval_strategy", "children", "window_name")
    assert [heir[name] for name in kept] == [5, "NONE", 0, "night"]
    assert world.payload(heir["id"])["input"] == {"n": 2}
    told = world.connection.execute("SELECT * FROM outbox WHERE target_run_id = %s", [parent]).fetchall()
    assert told == [], "its parent hears of the last one alone"


@pytest.mark.parametrize("situation", ["canceling", "pausing", "ready", "canceled"])
def test_a_run_that_is_to_end_or_to_pause_does_not_begin_anew(world: World, situation: str) -> None:
    made = world.run(situation)
    before, runs = world.whole(made.id), world.connection.execute("SELECT count(*) AS n FROM run").fetchone()
    assert _restart(world, made) is None
    assert world.whole(made.id) == before
    assert world.connection.execute("SELECT count(*) AS n FROM run").fetchone() == runs


@pytest.mark.parametrize("cancel_first", [True, False])
def test_of_a_restart_and_a_cancel_the_first_decides(world: World, connect: Connect, cancel_first: bool) -> None:
    made, bystander = world.run("executing"), new_id()
    asking = control_requests.request_cancel(made.id, TENANT, by="ann", comment=None, grace_ms=1)
    restarting = moves.restart(made.id, made.epoch, made.worker, n=1, active_ms=1, successor=bystander)
    won, lost = duel(connect, *((asking, restarting) if cancel_first else (restarting, asking)))
    assert (len(won), lost) == (1, [])
    assert world.row(made.id)["continued_as"] == (None if cancel_first else bystander)


def test_what_nobody_consumed_is_handed_on_but_not_what_children_said(world: World) -> None:
    made = world.run("executing")
    for name, consumed in (("word", None), ("word", new_id()), (f"{CHILD}a", None)):
        world.insert(
            "signal", {"id": new_id(), "run_id": made.id, "tenant": TENANT, "name": name, "consumed_by": consumed}
        )
    assert _restart(world, made)
    heir = world.row(made.id)["continued_as"]
    names = world.connection.execute("SELECT name FROM signal WHERE run_id = %s", [heir]).fetchall()
    assert names == [{"name": "word"}]
