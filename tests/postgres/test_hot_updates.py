"""A step and a lease renewal touch no index: PostgreSQL itself counts how many of their updates were heap-only."""

from __future__ import annotations

from models.fleet import workers
from models.runs import recording
from tests.postgres.calls import RECORDS, Call, fence, record
from tests.postgres.factory import Made, World

LIMITS = recording.Limits(steps=10_000, recorded_bytes=1 << 30)


def _updates(world: World, table: str) -> tuple[int, int]:
    # Statistics are sent when a transaction ends, but at most once a second unless requested.
    world.connection.execute("SELECT pg_stat_force_next_flush()")
    row = world.connection.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", [table]
    ).fetchone()
    assert row is not None
    return row["n_tup_upd"], row["n_tup_hot_upd"]


def _share(world: World, table: str, before: tuple[int, int], expected: int) -> float:
    updated, hot = (now - then for now, then in zip(_updates(world, table), before, strict=True))
    assert updated == expected
    return hot / updated


def _step(n: int) -> Call:
    return lambda made: recording.step(fence(made), n, record(f"s##{n}", value='"x"'), LIMITS, f"s##{n + 1}")


def _made(world: World) -> Made:
    made = world.run("executing")
    for _ in range(20):
        world.run("queued")
    world.connection.execute("VACUUM run")
    return made


def test_recording_steps_is_heap_only(own_world: World) -> None:
    made = _made(own_world)
    before = _updates(own_world, "run")
    for n in range(1, 201):
        assert _step(n)(made).one(own_world.connection) is not None

    assert _share(own_world, "run", before, 200) >= 0.9
    assert own_world.row(made.id)["step_count"] == 200


def test_noting_the_step_in_flight_and_the_log_is_heap_only(own_world: World) -> None:
    made = _made(own_world)
    before = _updates(own_world, "run")
    for name in ["in_flight", "log"] * 50:
        assert RECORDS[name](made).one(own_world.connection) is not None

    assert _share(own_world, "run", before, 100) >= 0.9


def test_renewing_a_lease_is_heap_only(own_world: World) -> None:
    worker = own_world.worker()
    for _ in range(3):
        own_world.run("executing", worker=worker)
    before = _updates(own_world, "worker")
    for _ in range(100):
        rows = workers.renew(worker, lease_s=15, consuming_ago_s=0.1, draining=False).all(own_world.connection)
        assert len(rows) == 3

    assert _share(own_world, "worker", before, 100) >= 0.9
