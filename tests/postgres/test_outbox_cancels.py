"""The cancel of a run reaches its children, and theirs: each once, and a locked one after its lock is released."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.runs import children
from tests.postgres.calls import TENANT
from tests.postgres.duel import Connection
from tests.postgres.factory import Made, World
from tests.postgres.families import child_of, duty, effects_on, turn
from tests.postgres.stepping import do

Connect = Callable[[], Connection]


def _canceled(connection: Connection, made: Made) -> None:
    assert moves.cancel_idle(made.id, TENANT, reason=Reason.BY_USER, by="ann", comment=None).one(connection)


@pytest.mark.parametrize(
    "situation", ["queued", "promoted", "ready", "paused for approval", "paused by user", "auth required"]
)
def test_children_that_nobody_executes_are_canceled_with_their_parent(world: World, situation: str) -> None:
    parent = world.run("paused by agent", children=2)
    child, ended = child_of(world, parent, "a", situation), child_of(world, parent, "b", "failed")
    before = world.whole(ended.id)
    _canceled(world.connection, parent)
    turn(world.connection)
    row = world.row(child.id)
    assert (row["status"], row["reason"], row["ticket_at"]) == ("CANCELED", "by_parent", None)
    assert (world.whole(ended.id), effects_on(world, parent.id)) == (before, [])


def test_a_child_that_executes_is_asked_to_end_and_its_worker_is_woken(world: World) -> None:
    parent = world.run("paused by agent", children=1)
    child = child_of(world, parent, "a", "pausing")
    _canceled(world.connection, parent)
    done = turn(world.connection)
    row = world.row(child.id)
    assert (row["control_request"], row["control_by"], row["control_grace_ms"]) == ("cancel", None, 1000)
    assert child.worker in done.workers
    released = moves.release(*_at(child), verb=Verb.RECOVER, reason=Reason.HOST_LOST).one(world.connection)
    assert released is not None
    assert (released.status, released.reason) == ("CANCELED", "by_parent")


def _at(made: Made) -> tuple[UUID, int, UUID]:
    return made.id, made.epoch, made.worker


def test_a_cancel_travels_down_by_the_ends_that_it_causes(world: World) -> None:
    grandparent = world.run("paused by agent", children=1)
    parent = child_of(world, grandparent, "a", "paused by agent", children=1)
    child = child_of(world, parent, "a", "paused for approval", children=1)
    grandchild = child_of(world, child, "a", "queued")
    _canceled(world.connection, grandparent)
    turn(world.connection)
    assert [world.row(made.id)["status"] for made in (parent, child, grandchild)] == ["CANCELED"] * 3


def test_a_child_that_somebody_decides_about_is_canceled_next_time(world: World, connect: Connect) -> None:
    parent = world.run("paused by agent", children=2)
    busy, idle, holder = child_of(world, parent, "a", "queued"), child_of(world, parent, "b", "queued"), connect()
    _canceled(world.connection, parent)
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [busy.id])
    turn(world.connection)
    assert (world.row(busy.id)["status"], world.row(idle.id)["status"]) == ("QUEUED", "CANCELED")
    assert len(effects_on(world, parent.id)) == 1
    holder.execute("COMMIT")
    turn(world.connection)
    assert (world.row(busy.id)["status"], effects_on(world, parent.id)) == ("CANCELED", [])


def test_very_many_children_are_canceled_some_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = children._TO_CANCEL.replace(f"LIMIT {children.CANCELED_AT_ONCE}", "LIMIT 2")
    monkeypatch.setattr(children, "_TO_CANCEL", limited)
    parent = world.run("paused by agent", children=5)
    made = [child_of(world, parent, str(n), "queued") for n in range(5)]
    _canceled(world.connection, parent)

    def statuses() -> list[str]:
        return sorted(world.row(one.id)["status"] for one in made)

    folding = duty()
    do(folding, world.connection)
    assert statuses() == ["CANCELED"] * 2 + ["QUEUED"] * 3
    turn(world.connection)
    assert (statuses(), effects_on(world, parent.id)) == (["CANCELED"] * 5, [])
