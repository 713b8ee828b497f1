"""Who may not go, because a window is closed or an agent stands still, keeps nobody from a place."""

from __future__ import annotations

from tests.postgres.ground import Ground


def test_a_run_whose_window_is_closed_keeps_nobody_from_the_place(ground: Ground) -> None:
    ground.window("night", is_open=False)
    at_night, by_day = ground.accept(concurrency_key="k", window="night"), ground.accept(concurrency_key="k")
    assert ground.turn() == [by_day]
    ground.begin(by_day)
    ground.end(by_day)
    assert ground.turn() == []
    ground.window("night", is_open=True)

    assert ground.turn() + ground.turn() == [at_night]


def test_a_place_is_given_back_when_the_window_closes_before_the_run_begins(ground: Ground) -> None:
    ground.window("day", is_open=True)
    by_day, other = ground.accept(concurrency_key="k", window="day"), ground.accept(concurrency_key="k")
    assert ground.turn() == [by_day]
    ground.window("day", is_open=False)

    assert ground.turn() + ground.turn() == [other]
    ground.begin(other)
    ground.end(other)
    ground.window("day", is_open=True)
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
