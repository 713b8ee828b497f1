"""A tenant has no more in flight than its queue lets it have, whatever was accepted before that was said."""

from __future__ import annotations

from tests.postgres.ground import Ground


def test_a_tenant_has_as_many_places_as_its_queue_says(ground: Ground) -> None:
    ground.rule(tenant_limit=2)
    big = [ground.accept("big") for _ in range(5)]
    small = ground.accept("small")

    assert set(ground.turn()) == {*big[:2], small}
    ground.begin(big[0])
    ground.park(big[0])
    assert ground.turn() == [big[2]]


def test_a_run_needs_a_place_of_its_key_and_one_of_its_tenant(ground: Ground) -> None:
    ground.rule(tenant_limit=1)
    other, keyed, same_key = ground.accept(), ground.accept(concurrency_key="k"), ground.accept(concurrency_key="k")
    assert ground.turn() == [other]
    assert (ground.gate(keyed) or "").startswith("tenant:")
    assert (ground.gate(same_key) or "").startswith("key:")
    ground.begin(other)
    ground.end(other)
    assert ground.turn() == [keyed]
    ground.begin(keyed)
    ground.end(keyed)

    assert ground.turn() == [same_key]


def test_runs_that_came_before_their_tenant_was_limited_are_counted(ground: Ground) -> None:
    before = [ground.accept("big") for _ in range(8)]
    assert ground.turn() == before
    for run in before:
        ground.begin(run)
    waiting = [ground.accept("big") for _ in range(3)]
    ground.rule(tenant_limit=2)
    for run in before[:6]:
        ground.end(run)
        assert ground.turn() == []
    ground.end(before[6])

    assert ground.turn() == [waiting[0]]
    assert _in_flight(ground) == 2


def test_all_go_when_tenants_are_not_limited_any_more(ground: Ground) -> None:
    ground.rule(tenant_limit=1)
    runs = [ground.accept() for _ in range(5)]
    assert ground.turn() == runs[:1]
    ground.rule(tenant_limit=None)

    assert ground.turn() + ground.turn() == runs[1:]


def _in_flight(ground: Ground) -> int:
    row = ground.connection.execute(
        "SELECT count(*) AS n FROM run WHERE ticket_at IS NOT NULL OR lease_worker IS NOT NULL"
    ).fetchone()
    assert row
    return int(row["n"])
