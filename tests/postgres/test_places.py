"""A run takes the place of its key before it is promoted: never too many are in flight, and none is forgotten."""

from __future__ import annotations

from models import control_requests
from tests.postgres.database_setup import DatabaseSetup


def test_of_runs_with_one_key_one_goes_at_a_time_in_their_order(setup: DatabaseSetup) -> None:
    first, second, third = (setup.accept(concurrency_key="k") for _ in range(3))

    assert setup.turn() == [first]
    setup.begin(first)
    assert setup.turn() == []
    setup.end(first)
    assert setup.turn() == [second]
    setup.begin(second)
    setup.end(second)
    assert setup.turn() == [third]


def test_a_key_has_as_many_places_as_its_queue_says(setup: DatabaseSetup) -> None:
    setup.rule(key_limit=2)
    runs = [setup.accept(concurrency_key="k") for _ in range(4)]

    assert setup.turn() == runs[:2]
    setup.begin(runs[1])
    setup.end(runs[1])
    assert setup.turn() == [runs[2]]


def test_keys_of_other_tenants_and_other_keys_do_not_compete(setup: DatabaseSetup) -> None:
    runs = {setup.accept("a", concurrency_key="k"), setup.accept("b", concurrency_key="k"),
            setup.accept("a", concurrency_key="l"), setup.accept("a")}  # fmt: skip

    assert set(setup.turn()) == runs


def test_the_highest_priority_of_a_line_goes_first_then_the_oldest(setup: DatabaseSetup) -> None:
    holder = setup.accept(concurrency_key="k")
    setup.turn()
    setup.begin(holder)
    low, high, also_low = (setup.accept(concurrency_key="k", priority=priority) for priority in (0, 5, 0))
    setup.turn()

    order = []
    for _ in range(3):
        setup.end(holder)
        [holder] = setup.turn()
        setup.begin(holder)
        order.append(holder)
    assert order == [high, low, also_low]


def test_who_has_a_place_but_no_slot_gives_way_to_a_higher_priority(setup: DatabaseSetup) -> None:
    busy = [setup.accept() for _ in range(8)]
    setup.turn()
    for run in busy:
        setup.begin(run)
    low = setup.accept(concurrency_key="k")
    assert setup.turn() == []
    high = setup.accept(concurrency_key="k", priority=9)
    setup.turn()
    setup.end(busy[0])

    assert setup.turn() == [high]
    setup.begin(high)
    setup.end(high)
    assert setup.turn() == [low]


def test_a_run_that_began_or_has_a_ticket_does_not_give_way(setup: DatabaseSetup) -> None:
    low = setup.accept(concurrency_key="k")
    assert setup.turn() == [low]
    high = setup.accept(concurrency_key="k", priority=9)

    assert setup.turn() == []
    setup.begin(low)
    assert setup.turn() == []
    setup.end(low)
    assert setup.turn() == [high]


def test_a_run_that_parks_frees_its_place_and_asks_again_when_it_goes_on(setup: DatabaseSetup) -> None:
    first, second = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.begin(first)
    setup.park(first)
    assert setup.turn() == [second]
    setup.begin(second)
    setup.wake(first)
    assert setup.turn() == []
    setup.end(second)

    assert setup.turn() == [first]


def test_a_queue_may_have_parked_runs_hold_their_keys(setup: DatabaseSetup) -> None:
    setup.rule(hold_keys=True)
    first, second = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.begin(first)
    setup.park(first)
    assert setup.turn() == []
    setup.wake(first)
    assert setup.turn() == [first]
    setup.begin(first)
    setup.park(first)
    setup.cancel(first)

    assert setup.turn() == [second]


def test_a_run_that_is_held_keeps_nobody_from_the_place(setup: DatabaseSetup) -> None:
    first, second = (setup.accept(concurrency_key="k") for _ in range(2))
    assert setup.turn() == [first]
    assert control_requests.request_pause(first, by="ann", comment=None).one(setup.connection)
    assert setup.turn() == [second]
    assert control_requests.take_pause_back(first).one(setup.connection)
    assert setup.turn() == []
    setup.begin(second)
    setup.end(second)

    assert setup.turn() == [first]


def test_a_run_that_is_held_in_its_line_is_passed(setup: DatabaseSetup) -> None:
    holder, held, third = (setup.accept(concurrency_key="k") for _ in range(3))
    setup.turn()
    assert control_requests.request_pause(held, by="ann", comment=None).one(setup.connection)
    setup.begin(holder)
    setup.end(holder)
    assert setup.turn() == [third]
    setup.begin(third)
    setup.end(third)
    assert setup.turn() == []
    assert control_requests.take_pause_back(held).one(setup.connection)

    assert setup.turn() == [held]


def test_a_canceled_run_leaves_its_line_and_frees_its_place(setup: DatabaseSetup) -> None:
    first, second, third = (setup.accept(concurrency_key="k") for _ in range(3))
    setup.turn()
    setup.cancel(second)
    setup.cancel(first)

    assert setup.turn() == [third]


def test_a_head_that_somebody_decides_about_is_passed_and_not_forgotten(setup: DatabaseSetup) -> None:
    holder, head = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.begin(holder)
    setup.end(holder)
    with setup.somebody_decides_about(head):
        assert setup.turn() == []

    assert setup.turn() == [head]


def test_a_change_of_a_run_that_somebody_decides_about_is_not_forgotten(setup: DatabaseSetup) -> None:
    run = setup.accept(concurrency_key="k")
    with setup.somebody_decides_about(run):
        assert setup.turn() == []

    assert setup.turn() == [run]


def test_a_new_leader_finds_lines_that_the_old_one_had_in_mind(setup: DatabaseSetup) -> None:
    holder, head = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.begin(holder)
    setup.end(holder)
    with setup.somebody_decides_about(head):
        setup.turn()
    setup.new_leader()

    assert setup.turn() == [head]


def test_more_places_are_given_when_the_limit_is_raised(setup: DatabaseSetup) -> None:
    runs = [setup.accept(concurrency_key="k") for _ in range(4)]
    assert setup.turn() == runs[:1]
    setup.rule(key_limit=3)

    assert setup.turn() + setup.turn() == runs[1:3]


def test_fewer_places_are_kept_to_from_then_on(setup: DatabaseSetup) -> None:
    setup.rule(key_limit=3)
    runs = [setup.accept(concurrency_key="k") for _ in range(5)]
    assert setup.turn() == runs[:3]
    setup.rule(key_limit=1)
    for run in runs[:3]:
        setup.begin(run)
    for run in runs[:2]:
        setup.end(run)
        assert setup.turn() == []
    setup.end(runs[2])

    assert setup.turn() == [runs[3]]
