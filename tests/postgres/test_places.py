"""A run takes the place of its key before it is promoted: never too many are in flight, and nobody is forgotten."""

from __future__ import annotations

from models import control_requests
from tests.postgres.ground import Ground


def test_of_runs_with_one_key_one_goes_at_a_time_in_their_order(ground: Ground) -> None:
    first, second, third = (ground.accept(concurrency_key="k") for _ in range(3))

    assert ground.turn() == [first]
    ground.begin(first)
    assert ground.turn() == []
    ground.end(first)
    assert ground.turn() == [second]
    ground.begin(second)
    ground.end(second)
    assert ground.turn() == [third]


def test_a_key_has_as_many_places_as_its_queue_says(ground: Ground) -> None:
    ground.rule(key_limit=2)
    runs = [ground.accept(concurrency_key="k") for _ in range(4)]

    assert ground.turn() == runs[:2]
    ground.begin(runs[1])
    ground.end(runs[1])
    assert ground.turn() == [runs[2]]


def test_keys_of_other_tenants_and_other_keys_do_not_compete(ground: Ground) -> None:
    runs = {ground.accept("a", concurrency_key="k"), ground.accept("b", concurrency_key="k"),
            ground.accept("a", concurrency_key="l"), ground.accept("a")}  # fmt: skip

    assert set(ground.turn()) == runs


def test_the_highest_priority_of_a_line_goes_first_then_the_oldest(ground: Ground) -> None:
    holder = ground.accept(concurrency_key="k")
    ground.turn()
    ground.begin(holder)
    low, high, also_low = (ground.accept(concurrency_key="k", priority=priority) for priority in (0, 5, 0))
    ground.turn()

    order = []
    for _ in range(3):
        ground.end(holder)
        [holder] = ground.turn()
        ground.begin(holder)
        order.append(holder)
    assert order == [high, low, also_low]


def test_who_has_a_place_but_no_slot_gives_way_to_a_higher_priority(ground: Ground) -> None:
    busy = [ground.accept() for _ in range(8)]
    ground.turn()
    for run in busy:
        ground.begin(run)
    low = ground.accept(concurrency_key="k")
    assert ground.turn() == []
    high = ground.accept(concurrency_key="k", priority=9)
    ground.turn()
    ground.end(busy[0])

    assert ground.turn() == [high]
    ground.begin(high)
    ground.end(high)
    assert ground.turn() == [low]


def test_a_run_that_began_or_has_a_ticket_does_not_give_way(ground: Ground) -> None:
    low = ground.accept(concurrency_key="k")
    assert ground.turn() == [low]
    high = ground.accept(concurrency_key="k", priority=9)

    assert ground.turn() == []
    ground.begin(low)
    assert ground.turn() == []
    ground.end(low)
    assert ground.turn() == [high]


def test_a_run_that_parks_frees_its_place_and_asks_again_when_it_goes_on(ground: Ground) -> None:
    first, second = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.begin(first)
    ground.park(first)
    assert ground.turn() == [second]
    ground.begin(second)
    ground.wake(first)
    assert ground.turn() == []
    ground.end(second)

    assert ground.turn() == [first]


def test_a_queue_may_have_parked_runs_hold_their_keys(ground: Ground) -> None:
    ground.rule(hold_keys=True)
    first, second = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.begin(first)
    ground.park(first)
    assert ground.turn() == []
    ground.wake(first)
    assert ground.turn() == [first]
    ground.begin(first)
    ground.park(first)
    ground.cancel(first)

    assert ground.turn() == [second]


def test_a_run_that_is_held_keeps_nobody_from_the_place(ground: Ground) -> None:
    first, second = (ground.accept(concurrency_key="k") for _ in range(2))
    assert ground.turn() == [first]
    assert control_requests.request_pause(first, by="ann", comment=None).one(ground.connection)
    assert ground.turn() == [second]
    assert control_requests.take_pause_back(first).one(ground.connection)
    assert ground.turn() == []
    ground.begin(second)
    ground.end(second)

    assert ground.turn() == [first]


def test_a_run_that_is_held_in_its_line_is_passed(ground: Ground) -> None:
    holder, held, third = (ground.accept(concurrency_key="k") for _ in range(3))
    ground.turn()
    assert control_requests.request_pause(held, by="ann", comment=None).one(ground.connection)
    ground.begin(holder)
    ground.end(holder)
    assert ground.turn() == [third]
    ground.begin(third)
    ground.end(third)
    assert ground.turn() == []
    assert control_requests.take_pause_back(held).one(ground.connection)

    assert ground.turn() == [held]


def test_a_canceled_run_leaves_its_line_and_frees_its_place(ground: Ground) -> None:
    first, second, third = (ground.accept(concurrency_key="k") for _ in range(3))
    ground.turn()
    ground.cancel(second)
    ground.cancel(first)

    assert ground.turn() == [third]


def test_a_head_that_somebody_decides_about_is_passed_and_not_forgotten(ground: Ground) -> None:
    holder, head = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.begin(holder)
    ground.end(holder)
    with ground.somebody_decides_about(head):
        assert ground.turn() == []

    assert ground.turn() == [head]


def test_a_change_of_a_run_that_somebody_decides_about_is_not_forgotten(ground: Ground) -> None:
    run = ground.accept(concurrency_key="k")
    with ground.somebody_decides_about(run):
        assert ground.turn() == []

    assert ground.turn() == [run]


def test_a_new_leader_finds_lines_that_the_old_one_had_in_mind(ground: Ground) -> None:
    holder, head = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.begin(holder)
    ground.end(holder)
    with ground.somebody_decides_about(head):
        ground.turn()
    ground.new_leader()

    assert ground.turn() == [head]


def test_more_places_are_given_when_the_limit_is_raised(ground: Ground) -> None:
    runs = [ground.accept(concurrency_key="k") for _ in range(4)]
    assert ground.turn() == runs[:1]
    ground.rule(key_limit=3)

    assert ground.turn() + ground.turn() == runs[1:3]


def test_fewer_places_are_kept_to_from_then_on(ground: Ground) -> None:
    ground.rule(key_limit=3)
    runs = [ground.accept(concurrency_key="k") for _ in range(5)]
    assert ground.turn() == runs[:3]
    ground.rule(key_limit=1)
    for run in runs[:3]:
        ground.begin(run)
    for run in runs[:2]:
        ground.end(run)
        assert ground.turn() == []
    ground.end(runs[2])

    assert ground.turn() == [runs[3]]
