"""Rows that no caller will request again are deleted, and no others."""

from __future__ import annotations

from scheduler.duties.housekeeping import Housekeeping
from tests.postgres.factory import World
from tests.postgres.stepping import do


def test_housekeeping_forgets_starts_that_no_rate_counts_any_more(own_world: World) -> None:
    sql = "INSERT INTO rate_slot (queue, at, starts) VALUES ('q', now() - interval '49 h', 1), ('q', now() - interval '24 h', 2)"
    own_world.connection.execute(sql)
    do(Housekeeping(), own_world.connection)

    assert own_world.connection.execute("SELECT starts FROM rate_slot").fetchall() == [{"starts": 2}]


def test_housekeeping_forgets_the_dead_of_yesterday_but_not_whom_a_run_names(own_world: World) -> None:
    old, named, young = (own_world.worker() for _ in range(3))
    own_world.run("executing", worker=named)
    own_world.connection.execute(
        "UPDATE worker SET dead_at = now() - interval '25 h' WHERE id = ANY(%s)", [[old, named]]
    )
    own_world.connection.execute("UPDATE worker SET dead_at = now() WHERE id = %s", [young])
    do(Housekeeping(), own_world.connection)
    left = own_world.connection.execute("SELECT id FROM worker").fetchall()
    assert {row["id"] for row in left} == {named, young}
