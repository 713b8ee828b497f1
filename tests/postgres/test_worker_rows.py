"""A worker's row through its life: it offers nothing before it serves, owns its runs by one lease, and dies once."""

from __future__ import annotations

from uuid import UUID

from models.fleet import workers
from models.fleet.workers import LeasedRun
from models.ids import new_id
from models.runtime.database import Row
from tests.postgres.calls import TICKETS
from tests.postgres.factory import World


def _register(world: World, queue: str = "default") -> UUID:
    worker = new_id()
    statement = workers.register(worker, name="w1", host="h", pid=7, queue=queue, slots=4, liveness_key=99, lease_s=15)
    assert statement.one(world.connection) is not None
    return worker


def _row(world: World, worker: UUID) -> Row:
    row = world.connection.execute(
        "SELECT *, extract(epoch FROM lease_until - now())::float AS left_s FROM worker WHERE id = %s", [worker]
    ).fetchone()
    assert row is not None
    return row


def _renew(
    world: World, worker: UUID, *, draining: bool = False, consuming_ago_s: float | None = 0.5
) -> list[LeasedRun]:
    statement = workers.renew(worker, lease_s=15, consuming_ago_s=consuming_ago_s, draining=draining)
    return statement.all(world.connection)


def test_a_new_worker_has_a_lease_a_queue_and_no_agents_yet(world: World) -> None:
    queue = f"q-{new_id()}"
    worker = _register(world, queue)

    row = _row(world, worker)
    assert (row["agents"], row["slots"], row["draining"], row["dead_at"], row["consuming_at"]) == (
        [],
        4,
        False,
        None,
        None,
    )
    assert 10 < row["left_s"] <= 15
    assert world.connection.execute("SELECT name FROM queue WHERE name = %s", [queue]).fetchone() is not None
    assert _register(world, queue) != worker


def test_it_says_which_agents_it_serves(world: World) -> None:
    worker = _register(world)
    assert workers.serve(worker, ["a", "b"]).one(world.connection) is not None
    assert _row(world, worker)["agents"] == ["a", "b"]


def test_a_renewal_prolongs_the_lease_and_brings_its_runs_with_what_was_asked_of_them(world: World) -> None:
    worker = _register(world)
    calm, canceling = world.run("executing", worker=worker), world.run("executing", worker=worker)
    world.run("executing")
    assert TICKETS["request_cancel"](canceling).one(world.connection) is not None
    world.connection.execute("UPDATE worker SET lease_until = now() WHERE id = %s", [worker])

    rows = {row.run_id: row for row in _renew(world, worker)}

    assert set(rows) == {calm.id, canceling.id}
    assert (rows[calm.id].control_request, rows[calm.id].epoch) == (None, calm.epoch)
    asked = rows[canceling.id]
    assert (asked.control_request, asked.control_by, asked.control_grace_ms) == ("cancel", "ann", 5000)
    row = _row(world, worker)
    assert row["left_s"] > 10
    assert row["consuming_at"] is not None


def test_a_renewal_without_runs_is_one_empty_row(world: World) -> None:
    [row] = _renew(world, _register(world))

    assert (row.run_id, row.draining) == (None, False)


def test_a_renewal_that_knows_nothing_of_the_consumer_leaves_its_time(world: World) -> None:
    worker = _register(world)
    _renew(world, worker)
    before = _row(world, worker)["consuming_at"]
    _renew(world, worker, consuming_ago_s=None)

    assert _row(world, worker)["consuming_at"] == before


def test_draining_is_never_taken_back_and_may_be_asked_for_by_ops(world: World) -> None:
    worker, told = _register(world), _register(world)
    _renew(world, worker, draining=True)
    world.connection.execute("UPDATE worker SET draining = TRUE WHERE id = %s", [told])

    assert [_renew(world, one)[0].draining for one in (worker, told)] == [True, True]


def test_a_dead_worker_is_never_revived(world: World) -> None:
    worker = _register(world)
    run = world.run("executing", worker=worker)
    assert workers.leave(worker).one(world.connection) is not None
    before = _row(world, worker)

    assert workers.leave(worker).one(world.connection) is None
    assert _renew(world, worker) == []
    assert workers.serve(worker, ["a"]).one(world.connection) is None
    after = _row(world, worker)
    assert {k: v for k, v in after.items() if k != "left_s"} == {k: v for k, v in before.items() if k != "left_s"}
    assert world.row(run.id)["lease_worker"] == worker


def test_an_agent_stays_known_and_its_newest_description_counts(world: World) -> None:
    name = f"agent-{new_id()}"
    for version, queue in (("v1", "default"), ("v2", "gpu")):
        statement = workers.know_agent(
            name, queue=queue, version=version, description=None, schema='{"type": "object"}', timeout_ms=None
        )
        assert statement.one(world.connection) is not None

    row = world.connection.execute("SELECT * FROM agent WHERE name = %s", [name]).fetchone()
    assert row is not None
    assert (row["version"], row["queue"], row["input_schema"], row["paused"]) == (
        "v2",
        "gpu",
        {"type": "object"},
        False,
    )
    assert row["last_seen_at"] >= row["first_seen_at"]
