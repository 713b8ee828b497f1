"""A run that may not start, because of a closed window or a paused agent, keeps no other run from a place."""

from __future__ import annotations

from tests.postgres.database_setup import DatabaseSetup


def test_a_run_whose_window_is_closed_keeps_nobody_from_the_place(setup: DatabaseSetup) -> None:
    setup.window("night", is_open=False)
    at_night, by_day = setup.accept(concurrency_key="k", window="night"), setup.accept(concurrency_key="k")
    assert setup.turn() == [by_day]
    setup.begin(by_day)
    setup.end(by_day)
    assert setup.turn() == []
    setup.window("night", is_open=True)

    assert setup.turn() + setup.turn() == [at_night]


def test_a_place_is_given_back_when_the_window_closes_before_the_run_begins(setup: DatabaseSetup) -> None:
    setup.window("day", is_open=True)
    by_day, other = setup.accept(concurrency_key="k", window="day"), setup.accept(concurrency_key="k")
    assert setup.turn() == [by_day]
    setup.window("day", is_open=False)

    assert setup.turn() + setup.turn() == [other]
    setup.begin(other)
    setup.end(other)
    setup.window("day", is_open=True)
    assert setup.turn() + setup.turn() == [by_day]


def test_a_run_whose_agent_stands_still_keeps_nobody_from_the_place(setup: DatabaseSetup) -> None:
    setup.world.insert("agent", {"name": "other", "queue": "default", "version": "1", "input_schema": "{}"})
    setup.connection.execute("UPDATE worker SET agents = '{echo,other}'")
    setup.connection.execute("UPDATE agent SET paused = TRUE WHERE name = 'other'")
    still, goes = setup.accept(concurrency_key="k", agent="other"), setup.accept(concurrency_key="k")
    assert setup.turn() == [goes]
    setup.begin(goes)
    setup.end(goes)
    setup.connection.execute("UPDATE agent SET paused = FALSE WHERE name = 'other'")

    assert setup.turn() + setup.turn() == [still]
