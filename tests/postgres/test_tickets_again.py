"""An unclaimed ticket is published again while a slot is free for it; a declined one, when its time has come."""

from __future__ import annotations

import pytest

from models.promotion import tickets
from scheduler.duties.timed_release import Lifting
from scheduler.promotion import republication as republications
from scheduler.promotion.promotion import Promotion
from scheduler.promotion.republication import DEADLINE_SECONDS, Republication
from tests.postgres.database_setup import Published, consuming
from tests.postgres.factory import World
from tests.postgres.proxied import Clock
from tests.postgres.stepping import do


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(republications, "time", clock)
    return clock


def test_a_ticket_is_published_again_only_after_a_free_slot_for_the_whole_deadline(
    own_world: World, published: Published, clock: Clock
) -> None:
    republication = Republication(published)
    worker = consuming(own_world, slots=1)
    made = own_world.run("promoted", worker=worker)
    own_world.connection.execute("UPDATE run SET ticket_at = now() - interval '6 s' WHERE id = %s", [made.id])

    do(republication, own_world.connection)
    clock.now += DEADLINE_SECONDS - 1
    do(republication, own_world.connection)
    assert published.take() == []

    own_world.run("executing", worker=worker)  # the slot is taken for a moment: the deadline starts again
    clock.now += 2
    do(republication, own_world.connection)
    assert published.take() == []
    own_world.connection.execute(
        "UPDATE run SET lease_worker = NULL, ready_at = now() WHERE lease_worker = %s", [worker]
    )
    for _ in range(int(DEADLINE_SECONDS)):
        do(republication, own_world.connection)
        assert published.take() == []
        clock.now += 1

    do(republication, own_world.connection)
    [ticket] = published.tickets
    assert (ticket.id, ticket.epoch, ticket.ticket_n) == (made.id, made.epoch, 2)
    assert own_world.row(made.id)["epoch"] == made.epoch


def test_a_ticket_of_a_queue_without_a_consuming_worker_waits(
    own_world: World, published: Published, clock: Clock
) -> None:
    republication = Republication(published)
    made = own_world.run("promoted", queue="money", worker=consuming(own_world, queue="default"))
    own_world.connection.execute("UPDATE run SET ticket_at = now() - interval '1 h' WHERE id = %s", [made.id])
    for _ in range(20):
        do(republication, own_world.connection)
        clock.now += 1
    assert published.take() == []


def test_a_ticket_that_still_may_be_under_way_is_not_doubled(
    own_world: World, published: Published, clock: Clock
) -> None:
    republication = Republication(published)
    own_world.run("promoted", worker=consuming(own_world))
    for _ in range(10):
        do(republication, own_world.connection)
        clock.now += 1
    assert published.take() == []


def test_the_gate_of_a_declined_ticket_opens_after_its_back_off_and_says_so(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    lifting = Lifting()
    made = own_world.run("promoted", worker=consuming(own_world))
    tickets.decline(made.id, made.epoch, draining=False).one(own_world.connection)
    do(promotion, own_world.connection)
    assert do(lifting, own_world.connection).queues == []
    assert published.take() == []

    own_world.connection.execute("UPDATE run SET blocked_until = now() - interval '1 ms' WHERE id = %s", [made.id])
    assert do(lifting, own_world.connection).queues == ["default"]
    do(promotion, own_world.connection)
    assert published.take() == [made.id]


def test_a_ticket_that_a_draining_worker_gave_back_is_promoted_again_at_once(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    made = own_world.run("promoted", worker=consuming(own_world))
    tickets.decline(made.id, made.epoch, draining=True).one(own_world.connection)
    do(promotion, own_world.connection)
    assert published.take() == [made.id]
