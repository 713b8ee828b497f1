"""Promotion gives free slots to ready runs: never more than there are, and only to what somebody serves."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from models import moves, tickets
from scheduler import republication as republications
from scheduler.candidates import CANDIDATES
from scheduler.capacity import _CAPACITY, read_capacity
from scheduler.gates import GateReader
from scheduler.lifting import Lifting
from scheduler.pace import Pace
from scheduler.promotion import TICK_SECONDS, Promotion
from scheduler.republication import DEADLINE_SECONDS, Republication
from tests.postgres.calls import claim
from tests.postgres.factory import Made, World
from tests.postgres.ground import Published, consuming
from tests.postgres.inside import Deaf


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def promotion(published: Published) -> Promotion:
    return Promotion(published, GateReader(), fill_s=0)


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

    promotion.step(own_world.connection)

    assert published.take() == [made.id for made in queued[:2]]
    for made in queued[:2]:
        row = own_world.row(made.id)
        assert (row["epoch"], row["ticket_n"], row["ticket_at"] is not None) == (made.epoch + 1, 1, True)
    promotion.step(own_world.connection)
    assert published.take() == []


def test_slots_are_filled_one_after_another_at_the_pace_of_their_queue(
    own_world: World, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "_gap", lambda self, free: 0.2)
    promotion, worker = Promotion(published, GateReader()), consuming(own_world, slots=4)
    queued = [own_world.run("queued", worker=worker) for _ in range(3)]

    assert 0.1 < promotion.step(own_world.connection) <= 0.2
    assert published.take() == [queued[0].id]
    assert 0 < promotion.step(own_world.connection) <= 0.2
    assert published.take() == []
    time.sleep(0.2)
    promotion.step(own_world.connection)
    assert published.take() == [queued[1].id]


def test_where_slots_are_free_and_nobody_waits_there_is_no_hurry(
    own_world: World, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "_gap", lambda self, free: 0.01)
    promotion, worker = Promotion(published, GateReader()), consuming(own_world, slots=4)
    assert promotion.step(own_world.connection) == TICK_SECONDS
    own_world.run("queued", worker=worker)
    assert promotion.step(own_world.connection) <= 0.01  # there may be more
    time.sleep(0.01)
    assert promotion.step(own_world.connection) == TICK_SECONDS


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

    promotion.step(own_world.connection)

    assert published.take() == []
    assert own_world.row(made.id) == before
    consuming(own_world)
    promotion.step(own_world.connection)
    assert published.take() == [made.id]


@pytest.mark.parametrize(
    "situation", ["held", "blocked", "promoted", "executing", "auth required", "paused by user", "succeeded"]
)
def test_a_run_that_does_not_wait_for_a_slot_is_never_promoted(
    own_world: World, promotion: Promotion, published: Published, situation: str
) -> None:
    made = own_world.run(situation, worker=consuming(own_world, slots=9))
    before = own_world.row(made.id)
    promotion.step(own_world.connection)
    assert published.take() == []
    assert own_world.row(made.id) == before


def test_a_run_of_an_agent_that_nobody_serves_holds_up_no_other(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=1)
    own_world.run("queued", worker=worker, agent="unknown", priority=100)
    served = own_world.run("queued", worker=worker)
    promotion.step(own_world.connection)
    assert published.take() == [served.id]


def test_tickets_are_published_in_the_order_in_which_they_were_chosen(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world, slots=4)
    tags = {"late": 3.0, "early": 1.0, "middle": 2.0}
    made = {name: own_world.run("queued", worker=worker, fair_tag=tag) for name, tag in tags.items()}
    urgent = own_world.run("queued", worker=worker, fair_tag=9.0, priority=5)

    promotion.step(own_world.connection)

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
        promotion.step(own_world.connection)
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
            workers = own_world.connection.execute(room, [ticket["queue"]]).fetchall()
            if workers:
                claim(Made(ticket["id"], ticket["epoch"], dice.choice(workers)["id"])).one(own_world.connection)
            published.tickets.remove(ticket)

    def end() -> None:
        leased = own_world.connection.execute("SELECT * FROM run WHERE lease_worker IS NOT NULL ORDER BY id").fetchall()
        for run in dice.sample(leased, min(2, len(leased))):
            moves.succeed(run["id"], run["epoch"], run["lease_worker"], n=1, result="1", active_ms=1).one(
                own_world.connection
            )

    def decline() -> None:
        for ticket in published.tickets[:1]:
            tickets.decline(ticket["id"], ticket["epoch"], draining=dice.random() < 0.5).one(own_world.connection)

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
        promotion.step(own_world.connection)
        republication.step(own_world.connection)
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
    """A worker may lease more than its slots for a moment (a redelivered ticket); that is no debt of its neighbours."""
    over, idle = consuming(own_world, slots=1), consuming(own_world, slots=2)
    for _ in range(3):
        own_world.run("executing", worker=over)
    [capacity] = read_capacity(own_world.connection)
    assert (capacity.open_slots, capacity.tickets, capacity.free, capacity.agents) == (2, 0, 2, ("echo",))
    assert idle != over


# ------------------------------------------------------------------------------------------------------- tickets again
class Clock:
    """A monotonic clock that a test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


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

    republication.step(own_world.connection)
    clock.now += DEADLINE_SECONDS - 1
    republication.step(own_world.connection)
    assert published.take() == []

    own_world.run("executing", worker=worker)  # the slot is taken for a moment: the deadline begins anew
    clock.now += 2
    republication.step(own_world.connection)
    assert published.take() == []
    own_world.connection.execute(
        "UPDATE run SET lease_worker = NULL, ready_at = now() WHERE lease_worker = %s", [worker]
    )
    for _ in range(int(DEADLINE_SECONDS)):
        republication.step(own_world.connection)
        assert published.take() == []
        clock.now += 1

    republication.step(own_world.connection)
    [ticket] = published.tickets
    assert (ticket["id"], ticket["epoch"], ticket["ticket_n"]) == (made.id, made.epoch, 2)
    assert own_world.row(made.id)["epoch"] == made.epoch


def test_a_ticket_of_a_queue_without_a_consuming_worker_waits(
    own_world: World, published: Published, clock: Clock
) -> None:
    republication = Republication(published)
    made = own_world.run("promoted", queue="money", worker=consuming(own_world, queue="default"))
    own_world.connection.execute("UPDATE run SET ticket_at = now() - interval '1 h' WHERE id = %s", [made.id])
    for _ in range(20):
        republication.step(own_world.connection)
        clock.now += 1
    assert published.take() == []


def test_a_ticket_that_still_may_be_under_way_is_not_doubled(
    own_world: World, published: Published, clock: Clock
) -> None:
    republication = Republication(published)
    own_world.run("promoted", worker=consuming(own_world))
    for _ in range(10):
        republication.step(own_world.connection)
        clock.now += 1
    assert published.take() == []


def test_the_gate_of_a_declined_ticket_opens_after_its_back_off_and_says_so(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    bus = Deaf()
    lifting = Lifting(bus)  # type: ignore[arg-type]  # all that it wants of a bus
    made = own_world.run("promoted", worker=consuming(own_world))
    tickets.decline(made.id, made.epoch, draining=False).one(own_world.connection)
    promotion.step(own_world.connection)
    lifting.step(own_world.connection)
    assert (published.take(), bus.woken) == ([], [])

    own_world.connection.execute("UPDATE run SET blocked_until = now() - interval '1 ms' WHERE id = %s", [made.id])
    lifting.step(own_world.connection)
    assert bus.woken == [("taxiway:promote", "default")]
    promotion.step(own_world.connection)
    assert published.take() == [made.id]


def test_a_ticket_that_a_draining_worker_gave_back_is_promoted_again_at_once(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    made = own_world.run("promoted", worker=consuming(own_world))
    tickets.decline(made.id, made.epoch, draining=True).one(own_world.connection)
    promotion.step(own_world.connection)
    assert published.take() == [made.id]


# ------------------------------------------------------------------------------------------------------------ flatness
@pytest.fixture
def crowded(own_world: World) -> World:
    worker = consuming(own_world, slots=50)
    consuming(own_world, slots=50, agents=["echo", "b"])
    sql = """INSERT INTO run (id, tenant, agent, queue, status, ready_at, finished_at, priority, fair_tag, seq)
        SELECT gen_random_uuid(), 't', CASE WHEN n %% 3 = 0 THEN 'b' ELSE 'echo' END, 'default',
            CASE WHEN n %% 2 = 0 THEN 'QUEUED' ELSE 'SUCCESS' END, CASE WHEN n %% 2 = 0 THEN now() END,
            CASE WHEN n %% 2 = 1 THEN now() END, n %% 5, n, 1 FROM generate_series(1, 20000) AS n"""
    own_world.connection.execute(sql.replace("%%", "%"))
    for _ in range(20):
        own_world.run("executing", worker=worker)
    own_world.connection.execute("ANALYZE")
    return own_world


def _plan(world: World, sql: str, params: dict[str, Any]) -> tuple[str, int]:
    rows = world.connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {sql}", params).fetchall()
    lines = [row["QUERY PLAN"] for row in rows]
    [first] = [line for line in lines if "Buffers:" in line][:1]
    touched = sum(int(part.split("=")[1]) for part in first.split() if part.startswith(("hit=", "read=")))
    return "\n".join(lines), touched


def test_candidates_are_read_from_the_head_of_the_ready_index(crowded: World) -> None:
    plan, touched = _plan(
        crowded,
        CANDIDATES,
        {"queue": "default", "agents": ["echo", "b"], "windows": [""], "kinds": [False, True], "limit": 20},
    )
    assert "run_ready" in plan
    assert "Seq Scan on run" not in plan
    assert touched < 400


def test_what_is_in_flight_is_read_from_its_own_index(crowded: World) -> None:
    plan, touched = _plan(crowded, _CAPACITY, {})
    assert "run_in_flight" in plan
    assert "Seq Scan on run" not in plan
    assert touched < 200


def test_what_waits_behind_a_closed_window_costs_nothing(crowded: World) -> None:
    params = {"queue": "default", "agents": ["echo", "b"], "windows": ["", "day"], "kinds": [False, True], "limit": 20}
    before = _plan(crowded, CANDIDATES, params)[1]
    crowded.connection.execute("""
        INSERT INTO run (id, tenant, agent, queue, window_name, ready_at, priority, fair_tag, resumed, seq)
        SELECT gen_random_uuid(), 't', 'echo', 'default', 'night', now(), 100, n, n % 2 = 0, 1
        FROM generate_series(1, 20000) AS n""")
    crowded.connection.execute("ANALYZE")
    assert _plan(crowded, CANDIDATES, params)[1] <= 1.3 * before
