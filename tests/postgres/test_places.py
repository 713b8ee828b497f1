"""A run takes the places that it needs before it is promoted: never too many are in flight, and nobody is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models import control, windows
from scheduler import gates as gates_of
from tests.postgres.factory import World
from tests.postgres.ground import Ground
from tests.postgres.inside import Deaf


@pytest.fixture
def ground(own_world: World, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # what a test just wrote is seen by its next turn
    return Ground(own_world, Deaf())


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


def test_a_run_whose_window_is_closed_keeps_nobody_from_the_place(ground: Ground) -> None:
    _window(ground, "night", is_open=False)
    at_night, by_day = ground.accept(concurrency_key="k", window="night"), ground.accept(concurrency_key="k")
    assert ground.turn() == [by_day]
    ground.begin(by_day)
    ground.end(by_day)
    assert ground.turn() == []
    _window(ground, "night", is_open=True)

    assert ground.turn() + ground.turn() == [at_night]


def test_a_place_is_given_back_when_the_window_closes_before_the_run_begins(ground: Ground) -> None:
    _window(ground, "day", is_open=True)
    by_day, other = ground.accept(concurrency_key="k", window="day"), ground.accept(concurrency_key="k")
    assert ground.turn() == [by_day]
    _window(ground, "day", is_open=False)

    assert ground.turn() + ground.turn() == [other]
    ground.begin(other)
    ground.end(other)
    _window(ground, "day", is_open=True)
    assert ground.turn() + ground.turn() == [by_day]


def test_a_run_whose_agent_stands_still_keeps_nobody_from_the_place(ground: Ground) -> None:
    ground.world.insert("agent", {"name": "other", "queue": "default", "version": "1", "input_schema": "{}"})
    ground.connection.execute("UPDATE worker SET agents = '{echo,other}'")
    ground.connection.execute("UPDATE agent SET paused = TRUE WHERE name = 'other'")
    still, goes = ground.accept(concurrency_key="k", agent="other"), ground.accept(concurrency_key="k")
    assert ground.turn() == [goes]
    ground.begin(goes)
    ground.end(goes)
    ground.connection.execute("UPDATE agent SET paused = FALSE WHERE name = 'other'")

    assert ground.turn() + ground.turn() == [still]


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
    assert control.request_pause(first, by="ann", comment=None).one(ground.connection)
    assert ground.turn() == [second]
    assert control.take_pause_back(first).one(ground.connection)
    assert ground.turn() == []
    ground.begin(second)
    ground.end(second)

    assert ground.turn() == [first]


def test_a_run_that_is_held_in_its_line_is_passed(ground: Ground) -> None:
    holder, held, third = (ground.accept(concurrency_key="k") for _ in range(3))
    ground.turn()
    assert control.request_pause(held, by="ann", comment=None).one(ground.connection)
    ground.begin(holder)
    ground.end(holder)
    assert ground.turn() == [third]
    ground.begin(third)
    ground.end(third)
    assert ground.turn() == []
    assert control.take_pause_back(held).one(ground.connection)

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


def test_a_run_that_wants_to_be_skipped_is_when_no_place_is_free(ground: Ground) -> None:
    first = ground.accept(concurrency_key="k", on_conflict="skip")
    assert ground.turn() == [first]
    second = ground.accept(concurrency_key="k", on_conflict="skip")
    assert ground.turn() == []
    assert ground.status(second) == ("CANCELED", "skipped")
    ground.begin(first)
    ground.end(first)
    third = ground.accept(concurrency_key="k", on_conflict="skip")

    assert ground.turn() == [third]


def test_of_runs_that_want_to_be_skipped_one_goes_whatever_came_at_once(ground: Ground) -> None:
    runs = [ground.accept(concurrency_key="k", on_conflict="skip") for _ in range(5)]

    assert ground.turn() == runs[:1]
    assert [ground.status(run)[1] for run in runs[1:]] == ["skipped"] * 4


def test_a_run_whose_window_is_closed_is_skipped_only_if_no_place_is_left_for_it(ground: Ground) -> None:
    _window(ground, "night", is_open=False)
    first, second = (ground.accept(concurrency_key="k", on_conflict="skip", window="night") for _ in range(2))
    ground.turn()
    assert (ground.status(first)[0], ground.status(second)) == ("QUEUED", ("CANCELED", "skipped"))
    _window(ground, "night", is_open=True)

    assert ground.turn() + ground.turn() == [first]


def test_a_started_run_is_not_skipped_when_it_goes_on(ground: Ground) -> None:
    first = ground.accept(concurrency_key="k", on_conflict="skip")
    ground.turn()
    ground.begin(first)
    ground.park(first)
    second = ground.accept(concurrency_key="k")
    assert ground.turn() == [second]
    ground.wake(first)
    assert ground.turn() == []

    assert ground.status(first)[0] == "RUNNING"


def test_the_newest_run_takes_the_place_of_all_before_it(ground: Ground) -> None:
    executing, waiting = ground.accept(concurrency_key="k"), ground.accept(concurrency_key="k")
    ground.turn()
    ground.begin(executing)
    newest = ground.accept(concurrency_key="k", on_conflict="cancel_running")
    ground.turn()
    assert ground.status(waiting) == ("CANCELED", "superseded")
    row = ground.world.row(executing)
    assert (row["control_request"], row["control_by"]) == ("cancel", control.superseded_by(newest))
    assert control.why_canceled(row["control_by"]) == "superseded"
    ground.end(executing)

    assert ground.turn() == [newest]


def test_a_ticket_that_nobody_claimed_is_superseded_at_once(ground: Ground) -> None:
    first = ground.accept(concurrency_key="k")
    assert ground.turn() == [first]
    newest = ground.accept(concurrency_key="k", on_conflict="cancel_running")
    ground.turn()

    assert ground.turn() == [newest]
    assert ground.status(first) == ("CANCELED", "superseded")


def test_a_run_that_cannot_be_ended_at_the_moment_is_superseded_later(ground: Ground) -> None:
    first = ground.accept(concurrency_key="k")
    ground.turn()
    with ground.somebody_decides_about(first):
        newest = ground.accept(concurrency_key="k", on_conflict="cancel_running")
        assert ground.turn() == []
    ground.turn()

    assert ground.turn() == [newest]


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


def _window(ground: Ground, name: str, *, is_open: bool) -> None:
    kind = "window" if is_open else "blackout"
    put = windows.put(
        name, cron="* * * * *", duration_ms=3_600_000, timezone="UTC", kind=kind, on_close="finish", by="ann"
    )
    assert put.one(ground.connection)


def _time_comes(ground: Ground, run: UUID) -> None:
    ground.connection.execute("UPDATE run SET blocked_until = now() WHERE id = %s", [run])


def _in_flight(ground: Ground) -> int:
    row = ground.connection.execute(
        "SELECT count(*) AS n FROM run WHERE ticket_at IS NOT NULL OR lease_worker IS NOT NULL"
    ).fetchone()
    assert row
    return int(row["n"])
