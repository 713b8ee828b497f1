"""Promotion gives free slots to ready runs: never more than there are, and only to runs that a worker serves."""

from __future__ import annotations

import random
import time

import pytest

from models import moves
from models.promotion import tickets
from scheduler.promotion.capacity import read_capacity
from scheduler.promotion.gates import GateReader
from scheduler.promotion.pacing import Pace
from scheduler.promotion.promotion import TICK_SECONDS, Promotion
from scheduler.promotion.republication import Republication
from tests.postgres.calls import claim
from tests.postgres.database_setup import Published, consuming
from tests.postgres.factory import Made, World
from tests.postgres.stepping import do


def in_flight(world: World, queue: str) -> int:
    row = world.connection.execute(
        "SELECT count(*) AS n FROM run WHERE queue = %s AND (ticket_at IS NOT NULL OR lease_worker IS NOT NULL)",
        [queue],
    ).fetchone()
    assert row is not None
    return int(row["n"])


def test_as_many_runs_are_promoted_as_there_are_free_slots(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=4)
    own_world.run("executing", worker=worker)
    own_world.run("promoted", worker=worker)
    queued = [own_world.run("queued", worker=worker) for _ in range(5)]

    do(promotion, own_world.connection)

    assert published.take() == [made.id for made in queued[:2]]
    for made in queued[:2]:
        row = own_world.row(made.id)
        assert (row["epoch"], row["ticket_n"], row["ticket_at"] is not None) == (made.epoch + 1, 1, True)
    do(promotion, own_world.connection)
    assert published.take() == []


def test_slots_are_filled_one_after_another_at_the_pace_of_their_queue(
    own_world: World, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "_gap", lambda self, free: 0.2)
    promotion, worker = Promotion(published, GateReader()), consuming(own_world, slots=4)
    queued = [own_world.run("queued", worker=worker) for _ in range(3)]

    assert 0.1 < do(promotion, own_world.connection).wait_s <= 0.2
    assert published.take() == [queued[0].id]
    assert 0 < do(promotion, own_world.connection).wait_s <= 0.2
    assert published.take() == []
    time.sleep(0.2)
    do(promotion, own_world.connection)
    assert published.take() == [queued[1].id]


def test_where_slots_are_free_and_nobody_waits_there_is_no_hurry(
    own_world: World, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "_gap", lambda self, free: 0.01)
    promotion, worker = Promotion(published, GateReader()), consuming(own_world, slots=4)
    assert do(promotion, own_world.connection).wait_s == TICK_SECONDS
    own_world.run("queued", worker=worker)
    assert do(promotion, own_world.connection).wait_s <= 0.01  # there may be more
    time.sleep(0.01)
    assert do(promotion, own_world.connection).wait_s == TICK_SECONDS


@pytest.mark.parametrize(
    "why_not",
    ["consuming_at = NULL", "consuming_at = now() - interval '11 s'", "draining = TRUE", "lease_until = now() - interval '1 s'",
     "dead_at = now()", "agents = '{}'", "agents = '{other}'", "slots = 0", "queue = 'elsewhere'"],
)  # fmt: skip
def test_a_worker_that_cannot_execute_the_run_is_offered_nothing(
    own_world: World, promotion: Promotion, published: Published, why_not: str
) -> None:
    worker = consuming(own_world)
    made = own_world.run("queued", worker=worker)
    own_world.connection.execute(f"UPDATE worker SET {why_not} WHERE id = %s", [worker])
    before = own_world.row(made.id)

    do(promotion, own_world.connection)

    assert published.take() == []
    assert own_world.row(made.id) == before
    consuming(own_world)
    do(promotion, own_world.connection)
    assert published.take() == [made.id]


@pytest.mark.parametrize(
    "situation", ["held", "blocked", "promoted", "executing", "auth required", "paused by user", "succeeded"]
)
def test_a_run_that_does_not_wait_for_a_slot_is_never_promoted(
    own_world: World, promotion: Promotion, published: Published, situation: str
) -> None:
    made = own_world.run(situation, worker=consuming(own_world, slots=9))
    before = own_world.row(made.id)
    do(promotion, own_world.connection)
    assert published.take() == []
    assert own_world.row(made.id) == before


def test_a_run_of_an_agent_that_nobody_serves_holds_up_no_other(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=1)
    own_world.run("queued", worker=worker, agent="unknown", priority=100)
    served = own_world.run("queued", worker=worker)
    do(promotion, own_world.connection)
    assert published.take() == [served.id]


def test_tickets_are_published_in_the_order_in_which_they_were_chosen(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=4)
    tags = {"late": 3.0, "early": 1.0, "middle": 2.0}
    made = {name: own_world.run("queued", worker=worker, fair_tag=tag) for name, tag in tags.items()}
    urgent = own_world.run("queued", worker=worker, fair_tag=9.0, priority=5)

    do(promotion, own_world.connection)

    assert published.take() == [urgent.id, made["early"].id, made["middle"].id, made["late"].id]
    times = own_world.connection.execute("SELECT priority, tag FROM virtual_time ORDER BY priority").fetchall()
    assert times == [{"priority": 0, "tag": 3.0}, {"priority": 5, "tag": 9.0}]


def test_one_of_four_is_new_also_when_slots_become_free_one_by_one(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=1)
    for _ in range(8):
        own_world.run("ready", worker=worker)
        own_world.run("queued", worker=worker)
    order = []
    for _ in range(8):
        do(promotion, own_world.connection)
        [run] = published.take()
        row = own_world.row(run)
        order.append("new" if row["status"] == "QUEUED" else "resumed")
        own_world.connection.execute("UPDATE run SET ticket_at = NULL, blocked_on = 'x' WHERE id = %s", [run])
    assert order == ["resumed", "resumed", "resumed", "new"] * 2


@pytest.mark.parametrize("seed", range(6))
def test_tickets_and_leases_never_exceed_the_slots_whatever_happens(  # noqa: C901  a day in the life of a queue
    own_world: World, published: Published, seed: int
) -> None:
    """Random workers, claims, ends, drains, deaths and declines; after every promotion the sum is checked."""
    dice, promotion = random.Random(seed), Promotion(published, GateReader(), fill_s=0)
    republication = Republication(published)
    queues = ("default", "money")
    live = {consuming(own_world, queue=dice.choice(queues), slots=dice.randint(0, 5), agents=dice.choice([["echo"], ["echo", "b"]])) for _ in range(4)}  # fmt: skip # noqa: E501

    def enqueue() -> None:
        situation = dice.choice(["queued", "ready"])
        own_world.run(
            situation, worker=next(iter(live)), queue=dice.choice(queues), agent=dice.choice(["echo", "b", "c"])
        )

    def take() -> None:
        for ticket in published.tickets[: dice.randint(0, 3)]:
            room = """SELECT id FROM worker WHERE queue = %s AND dead_at IS NULL AND NOT draining AND slots >
                (SELECT count(*) FROM run WHERE lease_worker = worker.id) ORDER BY id"""
            workers = own_world.connection.execute(room, [ticket.queue]).fetchall()
            if workers:
                claim(Made(ticket.id, ticket.epoch, dice.choice(workers)["id"])).one(own_world.connection)
            published.tickets.remove(ticket)

    def end() -> None:
        leased = own_world.connection.execute("SELECT * FROM run WHERE lease_worker IS NOT NULL ORDER BY id").fetchall()
        for run in dice.sample(leased, min(2, len(leased))):
            moves.succeed(run["id"], run["epoch"], run["lease_worker"], n=1, result="1", active_ms=1).one(
                own_world.connection
            )

    def decline() -> None:
        for ticket in published.tickets[:1]:
            tickets.decline(ticket.id, ticket.epoch, draining=dice.random() < 0.5).one(own_world.connection)

    def change() -> None:
        worker, what = (
            dice.choice(sorted(live)),
            dice.choice(["draining = NOT draining", "consuming_at = now() - interval '1 h'"]),
        )
        own_world.connection.execute(f"UPDATE worker SET {what} WHERE id = %s", [worker])
        own_world.connection.execute("UPDATE worker SET consuming_at = now() WHERE id <> %s", [worker])

    for _ in range(60):
        for _ in range(dice.randint(1, 4)):
            dice.choice([enqueue, enqueue, take, take, end, decline, change])()
        before = {queue: in_flight(own_world, queue) for queue in queues}
        capacities = {capacity.queue: capacity for capacity in read_capacity(own_world.connection)}
        do(promotion, own_world.connection)
        do(republication, own_world.connection)
        for queue in queues:
            total = own_world.connection.execute(
                "SELECT coalesce(sum(slots), 0) AS n FROM worker WHERE queue = %s", [queue]
            ).fetchone()
            assert total is not None
            promoted = in_flight(own_world, queue) - before[queue]
            free = capacities[queue].free if queue in capacities else 0
            assert 0 <= promoted <= free
            assert in_flight(own_world, queue) <= max(total["n"], before[queue])
        mine = own_world.connection.execute("SELECT agent FROM run WHERE ticket_at IS NOT NULL").fetchall()
        assert "c" not in {row["agent"] for row in mine}


def test_a_full_worker_does_not_use_up_the_slots_of_another(own_world: World) -> None:
    """A worker may lease more than its slots for a moment (a redelivered ticket); its neighbours do not pay for that."""
    over, idle = consuming(own_world, slots=1), consuming(own_world, slots=2)
    for _ in range(3):
        own_world.run("executing", worker=over)
    [capacity] = read_capacity(own_world.connection)
    assert (capacity.open_slots, capacity.tickets, capacity.free, capacity.agents) == (2, 0, 2, ("echo",))
    assert idle != over
