"""The lease of a worker: kept by renewals, lost with its session, and never doubted in silence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from executor import lease as leases
from executor.lease import LeaseKeeper
from models import control_requests
from models.fleet import workers
from models.fleet.workers import LeasedRun
from models.ids import WorkerId, liveness_key, new_id
from tests.postgres.conftest import Connect
from tests.postgres.factory import TENANT, World
from tests.postgres.proxied import proxy_to, settings_of, through, until
from tests.postgres.proxy import Proxy

LEASE = 3.0


class Holder:
    """The worker's state as the keeper sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.draining = False
        self.events: list[str] = []
        self.rows: list[list[LeasedRun]] = []
        self.in_doubt_at: list[float] = []
        self.register()

    def register(self) -> None:
        self.worker_id = WorkerId(new_id())
        key = liveness_key(self.worker_id)
        self._world.worker(id=self.worker_id, liveness_key=key)

    def renewed(self, rows: list[LeasedRun]) -> None:
        self.rows.append(rows)

    def lease_in_doubt(self) -> None:
        self.events.append("in doubt")
        self.in_doubt_at.append(time.monotonic())

    def declared_dead(self) -> None:
        self.events.append("dead")
        self.register()

    def consuming_ago(self) -> float | None:
        return 0.0


@pytest.fixture
def holder(world: World) -> Holder:
    return Holder(world)


@pytest.fixture
def proxy(law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy_to(law_url) as proxy, settings_of(monkeypatch, DATABASE_URL=through(proxy, law_url)):
        yield proxy


@pytest.fixture
def keeper(holder: Holder, proxy: Proxy) -> Iterator[LeaseKeeper]:
    keeper = LeaseKeeper(holder, LEASE)
    keeper.start()
    yield keeper
    proxy.frozen = proxy.refusing = False
    proxy.cut()
    keeper.stop()


def locked(world: World, worker: UUID) -> bool:
    row = world.connection.execute(
        """SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND ((classid::bigint << 32) | objid::bigint) = %s""",
        [liveness_key(WorkerId(worker))],
    ).fetchone()
    return bool(row and row["n"])


def lease_of(world: World, worker: UUID) -> float:
    row = world.connection.execute(
        "SELECT extract(epoch FROM lease_until - now())::float AS s FROM worker WHERE id = %s", [worker]
    ).fetchone()
    assert row is not None
    return float(row["s"])


def test_a_started_keeper_holds_the_liveness_lock_and_a_fresh_lease(
    world: World, keeper: LeaseKeeper, holder: Holder
) -> None:
    assert locked(world, holder.worker_id)
    assert LEASE - 1 < lease_of(world, holder.worker_id) <= LEASE

    keeper.stop()
    until(lambda: not locked(world, holder.worker_id), "the lock is free")


def test_the_lease_is_renewed_again_and_again(world: World, keeper: LeaseKeeper, holder: Holder) -> None:
    until(lambda: len(holder.rows) >= 3, "renewals without anybody's asking", LEASE)
    assert lease_of(world, holder.worker_id) > LEASE / 2


def test_a_wake_brings_requests_at_once(world: World, proxy: Proxy, holder: Holder) -> None:
    made = world.run("executing", worker=holder.worker_id)
    slow = LeaseKeeper(holder, 60.0)
    slow.start()
    control_requests.request_cancel(made.id, TENANT, by="ann", comment="no", grace_ms=700).one(world.connection)
    before = len(holder.rows)
    slow.wake()

    until(lambda: len(holder.rows) > before, "a renewal at once", 2)
    [row] = holder.rows[-1]
    assert (row.run_id, row.epoch, row.control_request) == (made.id, made.epoch, "cancel")
    assert (row.control_by, row.control_reason, row.control_grace_ms) == ("ann", "no", 700)
    slow.stop()


def test_a_worker_without_runs_is_renewed_by_one_empty_row(keeper: LeaseKeeper, holder: Holder) -> None:
    assert [row.run_id for row in holder.rows[0]] == [None]


def test_a_worker_that_was_declared_dead_comes_back_as_another(
    world: World, keeper: LeaseKeeper, holder: Holder
) -> None:
    old = holder.worker_id
    workers.leave(old).one(world.connection)
    keeper.wake()

    until(lambda: holder.worker_id != old and locked(world, holder.worker_id), "the new identity's lock")
    assert holder.events == ["dead"]
    until(lambda: not locked(world, old), "the old lock is free")
    row = world.connection.execute("SELECT dead_at FROM worker WHERE id = %s", [old]).fetchone()
    assert row is not None
    assert row["dead_at"] is not None


def test_a_session_that_the_server_ends_is_replaced_at_once(
    world: World, keeper: LeaseKeeper, holder: Holder, connect: Connect
) -> None:
    connection = connect()
    for _ in range(3):
        renewals = len(holder.rows)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'taxiway lease'"
        )
        until(lambda renewals=renewals: len(holder.rows) > renewals, "the keeper is back", 1.9)
        assert locked(world, holder.worker_id)
    assert holder.events == []


def test_hosts_are_in_doubt_before_the_lease_ends_when_the_database_refuses(
    keeper: LeaseKeeper, holder: Holder, proxy: Proxy
) -> None:
    began = time.monotonic()
    proxy.refusing = True
    proxy.cut()

    until(lambda: holder.events, "doubt", LEASE)
    assert holder.in_doubt_at[0] - began < LEASE
    time.sleep(1.0)  # checks that it is logged once, not at every attempt
    assert holder.events == ["in doubt"]


def test_hosts_are_in_doubt_before_the_lease_ends_when_a_renewal_hangs(
    keeper: LeaseKeeper, holder: Holder, proxy: Proxy
) -> None:
    """A network that loses every packet answers nothing: no error tells the keeper that its time has run out."""
    began = time.monotonic()
    proxy.frozen = True

    until(lambda: holder.events, "doubt", LEASE + 1)
    assert holder.in_doubt_at[0] - began < LEASE


def test_a_lease_that_holds_again_may_be_doubted_again(keeper: LeaseKeeper, holder: Holder, proxy: Proxy) -> None:
    for times in (1, 2):
        proxy.refusing = True
        proxy.cut()
        until(lambda times=times: len(holder.events) == times, "doubt", LEASE + 1)
        proxy.refusing = False
        renewals = len(holder.rows)
        until(lambda renewals=renewals: len(holder.rows) > renewals, "it holds again", LEASE + 1)
    assert holder.events == ["in doubt"] * 2


def test_a_lock_that_a_cut_off_session_holds_is_taken_over_within_a_lease(
    world: World, keeper: LeaseKeeper, holder: Holder, proxy: Proxy
) -> None:
    """The server does not notice that the client is gone; without an end by silence it would keep the lock for hours."""
    proxy.cut_clients()
    renewals = len(holder.rows)

    until(lambda: len(holder.rows) > renewals, "the lease is renewed in a new session", 2 * LEASE + 1)
    assert locked(world, holder.worker_id)


def test_a_fault_in_what_a_renewal_brings_does_not_end_the_renewals(
    keeper: LeaseKeeper, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(leases, "fact", lambda name, **_: said.append(name))
    calls = []

    def broken(rows: list[LeasedRun]) -> None:
        calls.append(rows)
        raise RuntimeError("no")

    monkeypatch.setattr(holder, "renewed", broken)
    keeper.wake()
    until(lambda: len(calls) >= 2, "it goes on", LEASE)
    assert "lease.failed" in said


def test_a_keeper_that_finds_no_database_says_so_at_the_start(holder: Holder, proxy: Proxy) -> None:
    proxy.refusing = True
    with pytest.raises(Exception, match="cannot be reached") as caught:
        LeaseKeeper(holder, LEASE).start()
    assert not isinstance(caught.value, psycopg.Error)
