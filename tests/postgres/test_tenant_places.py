"""A tenant has at most as many runs in flight as its queue allows, whatever was accepted before the limit was set."""

from __future__ import annotations

from tests.postgres.database_setup import DatabaseSetup


def test_a_tenant_has_as_many_places_as_its_queue_says(setup: DatabaseSetup) -> None:
    setup.rule(tenant_limit=2)
    big = [setup.accept("big") for _ in range(5)]
    small = setup.accept("small")

    assert set(setup.turn()) == {*big[:2], small}
    setup.begin(big[0])
    setup.park(big[0])
    assert setup.turn() == [big[2]]


def test_a_run_needs_a_place_of_its_key_and_one_of_its_tenant(setup: DatabaseSetup) -> None:
    setup.rule(tenant_limit=1)
    other, keyed, same_key = setup.accept(), setup.accept(concurrency_key="k"), setup.accept(concurrency_key="k")
    assert setup.turn() == [other]
    assert (setup.gate(keyed) or "").startswith("tenant:")
    assert (setup.gate(same_key) or "").startswith("key:")
    setup.begin(other)
    setup.end(other)
    assert setup.turn() == [keyed]
    setup.begin(keyed)
    setup.end(keyed)

    assert setup.turn() == [same_key]


def test_runs_that_came_before_their_tenant_was_limited_are_counted(setup: DatabaseSetup) -> None:
    before = [setup.accept("big") for _ in range(8)]
    assert setup.turn() == before
    for run in before:
        setup.begin(run)
    waiting = [setup.accept("big") for _ in range(3)]
    setup.rule(tenant_limit=2)
    for run in before[:6]:
        setup.end(run)
        assert setup.turn() == []
    setup.end(before[6])

    assert setup.turn() == [waiting[0]]
    assert _in_flight(setup) == 2


def test_all_go_when_tenants_are_not_limited_any_more(setup: DatabaseSetup) -> None:
    setup.rule(tenant_limit=1)
    runs = [setup.accept() for _ in range(5)]
    assert setup.turn() == runs[:1]
    setup.rule(tenant_limit=None)

    assert setup.turn() + setup.turn() == runs[1:]


def _in_flight(setup: DatabaseSetup) -> int:
    row = setup.connection.execute(
        "SELECT count(*) AS n FROM run WHERE ticket_at IS NOT NULL OR lease_worker IS NOT NULL"
    ).fetchone()
    assert row
    return int(row["n"])
