"""A run that must not wait for its key is skipped, or takes the place of earlier ones."""

from __future__ import annotations

from models import control_requests
from tests.postgres.database_setup import DatabaseSetup


def test_a_run_that_wants_to_be_skipped_is_when_no_place_is_free(setup: DatabaseSetup) -> None:
    first = setup.accept(concurrency_key="k", on_conflict="skip")
    assert setup.turn() == [first]
    second = setup.accept(concurrency_key="k", on_conflict="skip")
    assert setup.turn() == []
    assert setup.status(second) == ("CANCELED", "skipped")
    setup.begin(first)
    setup.end(first)
    third = setup.accept(concurrency_key="k", on_conflict="skip")

    assert setup.turn() == [third]


def test_of_runs_that_want_to_be_skipped_one_goes_whatever_came_at_once(setup: DatabaseSetup) -> None:
    runs = [setup.accept(concurrency_key="k", on_conflict="skip") for _ in range(5)]

    assert setup.turn() == runs[:1]
    assert [setup.status(run)[1] for run in runs[1:]] == ["skipped"] * 4


def test_a_run_whose_window_is_closed_is_skipped_only_if_no_place_is_left_for_it(setup: DatabaseSetup) -> None:
    setup.window("night", is_open=False)
    first, second = (setup.accept(concurrency_key="k", on_conflict="skip", window="night") for _ in range(2))
    setup.turn()
    assert (setup.status(first)[0], setup.status(second)) == ("QUEUED", ("CANCELED", "skipped"))
    setup.window("night", is_open=True)

    assert setup.turn() + setup.turn() == [first]


def test_a_started_run_is_not_skipped_when_it_goes_on(setup: DatabaseSetup) -> None:
    first = setup.accept(concurrency_key="k", on_conflict="skip")
    setup.turn()
    setup.begin(first)
    setup.park(first)
    second = setup.accept(concurrency_key="k")
    assert setup.turn() == [second]
    setup.wake(first)
    assert setup.turn() == []

    assert setup.status(first)[0] == "RUNNING"


def test_the_newest_run_takes_the_place_of_all_before_it(setup: DatabaseSetup) -> None:
    executing, waiting = setup.accept(concurrency_key="k"), setup.accept(concurrency_key="k")
    setup.turn()
    setup.begin(executing)
    newest = setup.accept(concurrency_key="k", on_conflict="cancel_running")
    setup.turn()
    assert setup.status(waiting) == ("CANCELED", "superseded")
    row = setup.world.row(executing)
    assert (row["control_request"], row["control_by"]) == ("cancel", control_requests.superseded_by(newest))
    assert control_requests.why_canceled(row["control_by"]) == "superseded"
    setup.end(executing)

    assert setup.turn() == [newest]


def test_a_ticket_that_nobody_claimed_is_superseded_at_once(setup: DatabaseSetup) -> None:
    first = setup.accept(concurrency_key="k")
    assert setup.turn() == [first]
    newest = setup.accept(concurrency_key="k", on_conflict="cancel_running")
    setup.turn()

    assert setup.turn() == [newest]
    assert setup.status(first) == ("CANCELED", "superseded")


def test_a_run_that_cannot_be_ended_at_the_moment_is_superseded_later(setup: DatabaseSetup) -> None:
    first = setup.accept(concurrency_key="k")
    setup.turn()
    with setup.somebody_decides_about(first):
        newest = setup.accept(concurrency_key="k", on_conflict="cancel_running")
        assert setup.turn() == []
    setup.turn()

    assert setup.turn() == [newest]
