"""Changes of a window are noted, are used until its end, and take nothing away from a run that is being accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from models.calendar import windows
from models.calendar.window_state import Standings, standing
from models.tables.window import Window
from tests.postgres.factory import World
from tests.postgres.timetables import put, turn


def test_what_people_do_to_a_window_is_noted_with_their_name(own_world: World) -> None:
    put(own_world, "night")
    turn(own_world, "night", "closed")
    assert windows.end_override("night", by="bob").one(own_world.connection)
    assert windows.end_override("night", by="bob").one(own_world.connection) is None
    assert windows.delete("night", by="cay").one(own_world.connection)
    rows = own_world.connection.execute("SELECT * FROM window_change ORDER BY id").fetchall()
    assert [(row["by"], row["change"]) for row in rows] == [
        ("ann", "put"), ("ann", "override"), ("bob", "override_ended"), ("cay", "deleted"),
    ]  # fmt: skip
    assert (rows[1]["data"]["state"], rows[1]["data"]["reason"]) == ("closed", "test")
    assert rows[1]["data"]["until"]


def test_a_window_is_not_deleted_while_a_run_is_being_accepted_for_it(own_world: World, database_url: str) -> None:

    put(own_world, "night")
    with psycopg.connect(database_url) as accepting, psycopg.connect(database_url, autocommit=True) as deleting:
        assert windows.hold(["night"]).all(accepting)
        deleting.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            windows.delete("night", by="ann").one(deleting)


def window(**fields: Any) -> Window:
    given = {
        "name": "w",
        "cron": "0 22 * * *",
        "timezone": "UTC",
        "duration_ms": 8 * 3_600_000,
        "kind": "window",
        **fields,
    }
    return Window(**given)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("state", "override_until", "moment", "is_open", "until"),
    [
        ("open", "2026-11-26T12:00Z", "2026-11-26T10:00Z", True, "2026-11-26T12:00Z"),
        (
            "open",
            "2026-11-26T23:00Z",
            "2026-11-26T10:00Z",
            True,
            "2026-11-27T06:00Z",
        ),  # it ends while the night is open
        ("closed", "2026-11-26T23:00Z", "2026-11-26T22:30Z", False, "2026-11-26T23:00Z"),
        ("closed", "2026-11-26T12:00Z", "2026-11-26T10:00Z", False, "2026-11-26T22:00Z"),
        ("closed", "2026-11-26T23:00Z", "2026-11-26T23:00Z", True, "2026-11-27T06:00Z"),  # it has ended
    ],
)
def test_an_override_holds_until_its_end_and_is_joined_with_what_the_timetable_says_then(
    state: str, override_until: str, moment: str, is_open: bool, until: str
) -> None:
    overridden = window(override=state, override_until=at(override_until), override_by="ann")
    for run_state in (standing(overridden, at(moment)), Standings().of(overridden, at(moment))):
        assert (run_state.open, run_state.until) == (is_open, at(until))


def test_what_was_worked_out_is_used_until_its_time_is_over_or_the_window_is_changed() -> None:
    kept = Standings()
    first = kept.of(window(), at("2026-11-26T21:00Z"))
    assert not first.open
    assert kept.of(window(), at("2026-11-26T21:59:59Z")) is first
    assert kept.of(window(), at("2026-11-26T22:00Z")).open
    assert not kept.of(window(cron="0 23 * * *"), at("2026-11-26T22:00Z")).open
