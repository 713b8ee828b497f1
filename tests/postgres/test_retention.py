"""Runs that ended long ago are deleted completely, and nothing is deleted that a caller may still request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.errors import Forgotten
from models.ids import earliest, new_id
from models.runs import retry
from models.runs.deletion import BELONGING, forget
from models.runtime.database import set_up
from scheduler.duties import retention
from scheduler.duties.retention import Retention
from tests.postgres.duel import Connection
from tests.postgres.factory import SITUATIONS, TENANT, Made, World
from tests.postgres.stepping import do

Connect = Callable[[], Connection]
DAYS = 30
LONG_AGO = datetime.now(UTC) - timedelta(days=DAYS, hours=1)


def _run(world: World, situation: str = "succeeded", ended: datetime | None = LONG_AGO, **columns: Any) -> Made:
    """Create a run of 40 days ago."""
    made = world.run(situation, **columns)
    old = UUID(int=earliest(LONG_AGO - timedelta(days=10)).int | made.id.int & ((1 << 80) - 1))
    for table in ("payload", "event"):
        world.connection.execute(f"UPDATE {table} SET run_id = %s WHERE run_id = %s", [old, made.id])
    world.connection.execute("UPDATE run SET id = %s WHERE id = %s", [old, made.id])
    if ended and world.row(old)["finished_at"]:
        world.connection.execute("UPDATE run SET finished_at = %s WHERE id = %s", [ended, old])
    return Made(old, made.epoch, made.worker)


def _sweep(world: World, days: int = DAYS) -> None:
    duty = Retention(days)
    while do(duty, world.connection).wait_s < retention.SWEEP_SECONDS:
        pass


def _there(world: World, *runs: Made) -> list[bool]:
    found = world.connection.execute("SELECT id FROM run WHERE id = ANY(%s)", [[run.id for run in runs]]).fetchall()
    return [run.id in {row["id"] for row in found} for run in runs]


def _with_everything(world: World, made: Made) -> None:
    """Insert a row for the run in every table that can have one."""
    run = {"run_id": made.id, "tenant": TENANT}
    webhook = new_id()
    world.step(made.id, "s", "succeeded", value='"v"')
    world.insert("label", {**run, "kind": "tag", "name": "t"})
    world.insert("log", {**run, "n": 1, "source": "agent", "level": "info", "message": "m"})
    world.insert(
        "wait", {**run, "id": new_id(), "key": "w", "kind": "approval"}, resolved_at="now()", outcome="'approved'"
    )
    world.insert("signal", {**run, "id": new_id(), "name": "used", "consumed_by": new_id()})
    world.insert("signal", {**run, "id": new_id(), "name": "unused"})
    world.insert("place", {**run, "line": "key:x"})
    world.insert("expiry", run, at="now()")
    world.insert("turn", {**run, "epoch": 1, "n": 2, "seq": 1, "at_ms": 3.5, "seen": "[]", "gone": "[]"})
    world.insert("held", {**run, "epoch": 1, "what": "[]"})
    world.insert("webhook", {"id": webhook, "tenant": TENANT, "url": "https://x", "sealed_secret": "x"})
    world.insert("delivery", {**run, "webhook_id": webhook, "seq": 1, "type": "run.succeeded"})


def _rows(world: World, run: UUID) -> dict[str, int]:
    tables = [*BELONGING, "delivery"]
    return {
        table: world.connection.execute(f"SELECT count(*) AS n FROM {table} WHERE run_id = %s", [run]).fetchone()["n"]  # type: ignore[index]
        for table in tables
    }


def test_a_run_that_ended_long_ago_goes_with_everything_that_belongs_to_it(own_world: World) -> None:
    old, young = _run(own_world), _run(own_world, ended=LONG_AGO + timedelta(hours=2))
    for made in (old, young):
        _with_everything(own_world, made)
    kept = own_world.whole(young.id)
    assert min(_rows(own_world, old.id).values()) >= 1, "there is something to be deleted in every table"
    _sweep(own_world)
    assert _there(own_world, old, young) == [False, True]
    assert max(_rows(own_world, old.id).values()) == 0
    assert own_world.whole(young.id) == kept
    assert min(_rows(own_world, young.id).values()) >= 1


def test_every_table_that_names_a_run_is_thought_of(own_world: World) -> None:
    """A firing is kept for its own time; rows of the other tables are consumed within moments."""
    others = {"firing", "place_change"}
    sql = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'run_id'"
    assert {row["table_name"] for row in own_world.connection.execute(sql)} - others == {*BELONGING, "delivery"}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_has_not_ended_is_kept_however_old_it_is(own_world: World, situation: str) -> None:
    made = _run(own_world, situation)
    _sweep(own_world, days=1)
    assert _there(own_world, made) == [situation not in ("succeeded", "failed", "canceled")]


def test_a_parent_is_kept_until_its_children_have_ended(own_world: World) -> None:
    parent = _run(own_world, "canceled", children=2)
    child, other = (_run(own_world, name, parent_run_id=parent.id, parent_key="k") for name in ("executing", "failed"))
    _sweep(own_world)
    assert _there(own_world, parent, child, other) == [True, True, True]
    own_world.connection.execute(
        "UPDATE run SET status = 'FAILED', lease_worker = NULL, finished_at = %s WHERE id = %s", [LONG_AGO, child.id]
    )
    _sweep(own_world)
    _sweep(own_world)
    assert _there(own_world, parent, child, other) == [False, False, False]


@pytest.mark.parametrize("situation", ["executing", "paused by agent", "failed"])
def test_a_child_is_kept_while_its_parent_is_there_which_may_be_tried_again(own_world: World, situation: str) -> None:
    parent = _run(own_world, situation, ended=datetime.now(UTC), children=1)
    child = _run(own_world, parent_run_id=parent.id, parent_key="k")
    _sweep(own_world)
    assert _there(own_world, parent, child) == [True, True]


def _told(world: World, heir: Made, child: Made, *, consumed: bool) -> None:
    answer = f'{{"run": "{child.id}", "key": "k", "status": "SUCCESS"}}'
    run = {"run_id": heir.id, "tenant": TENANT, "id": new_id()}
    if consumed:
        values = {**run, "key": "w", "kind": "child", "answer": answer}
        world.insert("wait", values, resolved_at="now()", outcome="'received'")
    else:
        world.insert("signal", {**run, "name": "taxiway.child/k", "sender_id": str(child.id), "payload": answer})


@pytest.mark.parametrize("consumed", [True, False])
def test_what_came_of_a_child_is_kept_for_the_retry_of_its_parent(own_world: World, consumed: bool) -> None:
    parent = _run(own_world, "failed")
    child = _run(own_world, parent_run_id=parent.id, parent_key="k")
    heir = own_world.run("paused by agent", retry_of=parent.id)
    _told(own_world, heir, child, consumed=consumed)
    for _ in range(2):
        _sweep(own_world)
    assert _there(own_world, parent, child, heir) == [False, True, True]
    own_world.connection.execute("DELETE FROM wait; DELETE FROM signal")
    _sweep(own_world)
    assert _there(own_world, child) == [False]


# ----------------------------------------------------------------------------------------------------------------- others
def test_a_run_that_is_being_tried_again_is_kept_until_that_is_done(own_world: World, database: Any) -> None:
    made, holder = _run(own_world, "failed"), database()
    own_world.step(made.id, "good", "succeeded", value='"v"')
    begins = retry.Copies(made.id, own_world.run("queued").id, [], [])
    begins.put(holder)
    _sweep(own_world)
    assert _there(own_world, made) == [True]
    holder.commit()
    _sweep(own_world)
    assert _there(own_world, made) == [False]
    with pytest.raises(Forgotten):
        begins.put(own_world.connection)


def test_a_run_of_which_a_part_cannot_be_deleted_is_kept_whole(own_world: World) -> None:
    made = _run(own_world)
    _with_everything(own_world, made)
    before = _rows(own_world, made.id)
    own_world.connection.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER no BEFORE DELETE ON signal FOR EACH ROW EXECUTE FUNCTION no()"
    )
    with pytest.raises(Exception, match="no"):
        forget(own_world.connection, [made.id])
    assert (_there(own_world, made), _rows(own_world, made.id)) == ([True], before)


def test_a_sweep_is_done_in_turns_and_batches_and_begins_anew(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [_run(own_world) for _ in range(7)]
    heavy = _run(own_world, log_lines=5000)
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "TURN_SECONDS", 0.001)
    sizes: list[int] = []
    monkeypatch.setattr(
        retention, "forget", lambda connection, runs: sizes.append(len(runs)) or forget(connection, runs)
    )
    duty = Retention(DAYS)
    while do(duty, own_world.connection).wait_s < retention.SWEEP_SECONDS:
        pass
    assert not any(_there(own_world, *made, heavy))
    assert (max(sizes), sum(sizes)) == (2, 8)
    later = _run(own_world)
    while do(duty, own_world.connection).wait_s < retention.SWEEP_SECONDS:
        pass
    assert _there(own_world, later) == [False]


def test_a_very_heavy_run_is_deleted_alone() -> None:
    page = [{"id": n, "over": n != 2, "weight": 10 if n != 3 else 9000} for n in range(6)]
    assert [[row["id"] for row in batch] for batch in retention._batches(page)] == [[0, 1, 2], [3], [4, 5]]


_FILL = (
    """
    INSERT INTO run (id, tenant, agent, queue, status, finished_at, parent_run_id)
    SELECT gen_random_uuid(), 't' || n %% 5, 'a', 'q', 'SUCCESS', now(), gen_random_uuid() FROM generate_series(1, 5000) AS n
    """,
    """
    INSERT INTO signal (id, run_id, tenant, name, sender_id)
    SELECT gen_random_uuid(), %(run)s, 'a', CASE WHEN n %% 2 = 0 THEN 'taxiway.child/' ELSE 'x' END, n
    FROM generate_series(1, 2000) AS n
    """,
    """
    INSERT INTO wait (id, run_id, tenant, key, kind, answer, resolved_at, outcome)
    SELECT gen_random_uuid(), %(run)s, 'a', n, CASE WHEN n %% 2 = 0 THEN 'child' ELSE 'signal' END,
        json_build_object('run', n), now(), 'received' FROM generate_series(1, 2000) AS n
    """,
)


def test_what_is_looked_at_is_found_by_indexes_in_its_order(own_world: World) -> None:
    connection = own_world.connection
    set_up(connection)
    for sql in _FILL:
        connection.execute(sql, {"run": new_id()})
    connection.execute("VACUUM ANALYZE")
    params = {"kept": timedelta(days=1), "reached": UUID(int=0), "young": UUID(int=2**128 - 1)}
    plan = "\n".join(row["QUERY PLAN"] for row in connection.execute(f"EXPLAIN {retention._PAGE}", params).fetchall())
    for word in ("Seq Scan", "hashed", "Sort"):
        assert word not in plan, plan
    for index in ("run_pkey", "run_children", "wait_child", "signal_child"):
        assert f"using {index} on" in plan, plan
    for table in BELONGING:
        sql = f"EXPLAIN DELETE FROM {table} WHERE run_id = ANY(%(runs)s)"
        plan = str(connection.execute(sql, {"runs": [new_id()]}).fetchall())
        assert "Seq Scan" not in plan, plan
        assert "Index Cond: (run_id = ANY" in plan, plan
