"""A run begins no earlier than it may, and no later than it wants to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.postgres.ground import Ground


def test_a_run_asks_for_its_place_when_it_may_begin(ground: Ground) -> None:
    later = ground.accept(concurrency_key="k", not_before=datetime.now(UTC) + timedelta(hours=1))
    second = ground.accept(concurrency_key="k")
    assert ground.turn() == [second]
    ground.begin(second)
    _time_comes(ground, later)
    assert ground.turn() == []
    ground.end(second)

    assert ground.turn() == [later]


def test_a_run_without_a_key_begins_when_it_may(ground: Ground) -> None:
    run = ground.accept(not_before=datetime.now(UTC) + timedelta(hours=1))
    assert ground.turn() == []
    assert ground.lifting.step(ground.connection) == 0.5
    _time_comes(ground, run)

    assert ground.turn() == [run]


def test_a_run_that_has_not_begun_in_its_time_fails(ground: Ground) -> None:
    run = ground.accept(expires_in_ms=1)
    ground.turn()

    assert ground.status(run) == ("FAILED", "expired")
    assert ground.world.payload(run)["error"]["code"] == "expired"
    assert ground.connection.execute("SELECT count(*) AS n FROM expiry").fetchone() == {"n": 0}


def test_a_run_that_began_in_its_time_goes_on(ground: Ground) -> None:
    run = ground.accept(expires_in_ms=3_600_000)
    ground.turn()
    ground.begin(run)
    ground.connection.execute("UPDATE expiry SET at = now()")
    ground.connection.execute("UPDATE run SET expires_at = now()")
    ground.turn()

    assert ground.status(run)[0] == "RUNNING"
    assert ground.connection.execute("SELECT count(*) AS n FROM expiry").fetchone() == {"n": 0}


def _time_comes(ground: Ground, run: UUID) -> None:
    ground.connection.execute("UPDATE run SET blocked_until = now() WHERE id = %s", [run])
