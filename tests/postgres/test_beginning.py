"""A run begins no earlier than `not_before`, and fails after its expiration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.postgres.database_setup import DatabaseSetup
from tests.postgres.stepping import do


def test_a_run_asks_for_its_place_when_it_may_begin(setup: DatabaseSetup) -> None:
    later = setup.accept(concurrency_key="k", not_before=datetime.now(UTC) + timedelta(hours=1))
    second = setup.accept(concurrency_key="k")
    assert setup.turn() == [second]
    setup.begin(second)
    _time_comes(setup, later)
    assert setup.turn() == []
    setup.end(second)

    assert setup.turn() == [later]


def test_a_run_without_a_key_begins_when_it_may(setup: DatabaseSetup) -> None:
    run = setup.accept(not_before=datetime.now(UTC) + timedelta(hours=1))
    assert setup.turn() == []
    assert do(setup.lifting, setup.connection).wait_s == 0.5
    _time_comes(setup, run)

    assert setup.turn() == [run]


def test_a_run_that_has_not_begun_in_its_time_fails(setup: DatabaseSetup) -> None:
    run = setup.accept(expires_in_ms=1)
    setup.turn()

    assert setup.status(run) == ("FAILED", "expired")
    assert setup.world.payload(run)["error"]["code"] == "expired"
    assert setup.connection.execute("SELECT count(*) AS n FROM expiry").fetchone() == {"n": 0}


def test_a_run_that_began_in_its_time_goes_on(setup: DatabaseSetup) -> None:
    run = setup.accept(expires_in_ms=3_600_000)
    setup.turn()
    setup.begin(run)
    setup.connection.execute("UPDATE expiry SET at = now()")
    setup.connection.execute("UPDATE run SET expires_at = now()")
    setup.turn()

    assert setup.status(run)[0] == "RUNNING"
    assert setup.connection.execute("SELECT count(*) AS n FROM expiry").fetchone() == {"n": 0}


def _time_comes(setup: DatabaseSetup, run: UUID) -> None:
    setup.connection.execute("UPDATE run SET blocked_until = now() WHERE id = %s", [run])
