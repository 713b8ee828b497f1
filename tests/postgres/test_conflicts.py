"""A run that does not want to wait for its key is skipped, or takes the place of those before it."""

from __future__ import annotations

from models import control_requests
from tests.postgres.ground import Ground


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
    ground.window("night", is_open=False)
    first, second = (ground.accept(concurrency_key="k", on_conflict="skip", window="night") for _ in range(2))
    ground.turn()
    assert (ground.status(first)[0], ground.status(second)) == ("QUEUED", ("CANCELED", "skipped"))
    ground.window("night", is_open=True)

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
    assert (row["control_request"], row["control_by"]) == ("cancel", control_requests.superseded_by(newest))
    assert control_requests.why_canceled(row["control_by"]) == "superseded"
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
