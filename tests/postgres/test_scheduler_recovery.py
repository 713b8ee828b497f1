"""Dead workers are found by their lease or their lock, judged only after a whole lease, and their runs recovered once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from models import moves
from models.fleet import workers
from models.ids import WorkerId, liveness_key, new_id
from models.runs import recording
from scheduler.duties import recovery as recoveries
from scheduler.duties.recovery import LOCK_FREE_SECONDS, Recovery
from tests.postgres.calls import fence
from tests.postgres.factory import World
from tests.postgres.proxied import Clock, until
from tests.postgres.stepping import do, together

LEASE = 15.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recoveries, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests started a moment ago; tests of its age set it themselves."""
    monkeypatch.setattr(recoveries, "_SERVER_AGE", "SELECT 3600::float AS seconds")


@pytest.fixture
def recovery(clock: Clock) -> Recovery:
    """A recovery that may judge."""
    recovery = Recovery(LEASE)
    clock.now += LEASE + 1
    return recovery


class Alive:
    """A worker whose liveness lock is held by its own session."""

    def __init__(self, world: World, connection: psycopg.Connection[Any], **columns: Any) -> None:
        self.id = WorkerId(new_id())
        self._world, self._connection = world, connection
        connection.execute("SELECT pg_advisory_lock(%s)", [liveness_key(self.id)])
        world.worker(id=self.id, liveness_key=liveness_key(self.id), **columns)

    def die(self) -> None:
        self.ends(self._connection)

    def ends(self, connection: psycopg.Connection[Any]) -> None:
        """Close a connection and wait until the server has noticed."""
        session = connection.info.backend_pid
        connection.close()
        held = "SELECT FROM pg_locks WHERE pid = %s"
        until(lambda: not self._world.connection.execute(held, [session]).fetchall(), "the session has ended")


@pytest.fixture
def alive(own_world: World, database: Any) -> Alive:
    return Alive(own_world, database(autocommit=True))


def dead(world: World, worker: UUID) -> bool:
    row = world.connection.execute("SELECT dead_at FROM worker WHERE id = %s", [worker]).fetchone()
    assert row is not None
    return row["dead_at"] is not None


def expire(world: World, worker: UUID) -> None:
    world.connection.execute("UPDATE worker SET lease_until = now() - interval '1 s' WHERE id = %s", [worker])


def test_a_living_worker_is_left_alone(own_world: World, alive: Alive, recovery: Recovery, clock: Clock) -> None:
    made = own_world.run("executing", worker=alive.id)
    before = own_world.whole(made.id)
    for _ in range(10):
        do(recovery, own_world.connection)
        clock.now += 1
    assert not dead(own_world, alive.id)
    assert own_world.whole(made.id) == before


def test_a_worker_whose_lease_has_expired_is_dead_though_its_lock_is_held(
    own_world: World, alive: Alive, recovery: Recovery
) -> None:
    made = own_world.run("executing", worker=alive.id)
    expire(own_world, alive.id)
    do(recovery, own_world.connection)
    assert dead(own_world, alive.id)
    assert own_world.row(made.id)["lease_worker"] is None


def test_a_worker_whose_lock_is_free_for_two_seconds_is_dead_though_its_lease_holds(
    own_world: World, alive: Alive, recovery: Recovery, clock: Clock
) -> None:
    do(recovery, own_world.connection)
    alive.die()
    do(recovery, own_world.connection)
    clock.now += LOCK_FREE_SECONDS - 0.1
    do(recovery, own_world.connection)
    assert not dead(own_world, alive.id)

    clock.now += 0.2
    do(recovery, own_world.connection)
    assert dead(own_world, alive.id)


def test_a_lock_that_is_taken_again_in_time_begins_a_new_count(
    own_world: World, alive: Alive, recovery: Recovery, clock: Clock, database: Any
) -> None:
    alive.die()
    do(recovery, own_world.connection)
    clock.now += 1.5
    again = database(autocommit=True)
    again.execute("SELECT pg_advisory_lock(%s)", [liveness_key(alive.id)])
    do(recovery, own_world.connection)
    alive.ends(again)
    clock.now += 0.1
    do(recovery, own_world.connection)
    clock.now += 1.5
    do(recovery, own_world.connection)
    assert not dead(own_world, alive.id)


@pytest.mark.parametrize("key", [0, 1, (1 << 31), (1 << 32) - 1, 1 << 32, (1 << 63) - 1, (1 << 62) + 12345])
def test_a_lock_is_recognised_whatever_bits_its_key_has(
    own_world: World, recovery: Recovery, clock: Clock, database: Any, key: int
) -> None:
    holder = database(autocommit=True)
    holder.execute("SELECT pg_advisory_lock(%s)", [key])
    locked, free = own_world.worker(liveness_key=key), own_world.worker(liveness_key=key ^ 2)
    for _ in range(2):
        do(recovery, own_world.connection)
        clock.now += LOCK_FREE_SECONDS
    assert (dead(own_world, locked), dead(own_world, free)) == (False, True)


def test_nobody_is_judged_during_the_first_lease_of_the_session(own_world: World, clock: Clock) -> None:
    worker = own_world.worker()
    expire(own_world, worker)
    recovery = Recovery(LEASE)
    do(recovery, own_world.connection)
    clock.now += LEASE - 0.1
    do(recovery, own_world.connection)
    assert not dead(own_world, worker)

    clock.now += 0.2
    do(recovery, own_world.connection)
    assert dead(own_world, worker)


def test_nobody_is_judged_during_the_first_lease_of_the_server(
    own_world: World, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = own_world.worker()
    expire(own_world, worker)
    monkeypatch.setattr(recoveries, "_SERVER_AGE", f"SELECT {LEASE - 0.5}::float AS seconds")
    do(recovery, own_world.connection)
    assert not dead(own_world, worker)
    monkeypatch.setattr(recoveries, "_SERVER_AGE", f"SELECT {LEASE + 0.5}::float AS seconds")
    do(recovery, own_world.connection)
    assert dead(own_world, worker)


def test_the_age_of_the_server_is_asked_of_the_server(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    row = own_world.connection.execute(recoveries._SERVER_AGE).fetchone()
    assert row is not None
    assert 0 < row["seconds"] < 3600


def test_runs_of_the_dead_are_recovered_once_with_the_loss_counted_and_the_epoch_raised(
    own_world: World, recovery: Recovery
) -> None:
    worker = own_world.worker()
    runs = [own_world.run("executing", worker=worker, step_in_flight="a##1", losses=n) for n in range(3)]
    expire(own_world, worker)
    done = together([do(recovery, own_world.connection) for _ in range(3)])

    for n, made in enumerate(runs):
        row = own_world.row(made.id)
        assert (row["status"], row["reason"], row["epoch"], row["losses"]) == (
            "RUNNING",
            "worker_lost",
            made.epoch + 1,
            n + 1,
        )
        assert (row["lease_worker"], row["crashes"], row["resumed"], row["ready_at"] is not None) == (
            None,
            0,
            True,
            True,
        )
        assert [event["verb"] for event in own_world.events(made.id)] == ["enqueue", "start", "recover"]
        assert recording.in_flight(fence(made), "b##1").one(own_world.connection) is None
    assert sorted(event.run_id for event in done.events) == sorted(made.id for made in runs)
    assert done.queues == ["default"] * 3


def test_the_eleventh_loss_fails_the_run_and_names_the_step(own_world: World, recovery: Recovery) -> None:
    worker = own_world.worker()
    made = own_world.run("executing", worker=worker, step_in_flight="a##1", losses=moves.LOSS_LIMIT - 1)
    expire(own_world, worker)
    do(recovery, own_world.connection)
    row = own_world.row(made.id)
    assert (row["status"], row["reason"], row["losses"]) == ("FAILED", "worker_lost", 11)
    error = own_world.payload(made.id)["error"]
    assert (error["code"], error["step"]) == ("worker_lost", "a##1")


def test_recovery_honours_a_cancel_that_was_pending(own_world: World, recovery: Recovery) -> None:
    worker = own_world.worker()
    made = own_world.run("canceling", worker=worker)
    expire(own_world, worker)
    do(recovery, own_world.connection)
    assert own_world.row(made.id)["status"] == "CANCELED"


def test_what_a_worker_left_behind_is_recovered_also_while_nobody_is_judged(own_world: World, clock: Clock) -> None:
    worker = own_world.worker()
    made = own_world.run("executing", worker=worker)
    workers.leave(worker).one(own_world.connection)
    do(Recovery(LEASE), own_world.connection)
    assert own_world.row(made.id)["lease_worker"] is None


def test_a_run_that_somebody_decides_about_comes_in_the_next_tick(
    own_world: World, recovery: Recovery, database: Any
) -> None:
    worker = own_world.worker()
    busy, free = own_world.run("executing", worker=worker), own_world.run("executing", worker=worker)
    holder = database()
    holder.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [busy.id])
    expire(own_world, worker)

    do(recovery, own_world.connection)
    assert (own_world.row(busy.id)["losses"], own_world.row(free.id)["losses"]) == (0, 1)
    holder.rollback()
    do(recovery, own_world.connection)
    assert (own_world.row(busy.id)["losses"], own_world.row(free.id)["losses"]) == (1, 1)


def test_a_whole_batch_is_followed_by_the_next_at_once(
    own_world: World, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recoveries, "BATCH", 2)
    monkeypatch.setattr(recoveries, "_ORPHANS", recoveries._ORPHANS.replace("LIMIT 200", "LIMIT 2"))
    worker = own_world.worker()
    for _ in range(3):
        own_world.run("executing", worker=worker)
    expire(own_world, worker)
    assert do(recovery, own_world.connection).wait_s == 0.0
    assert do(recovery, own_world.connection).wait_s > 0.0
