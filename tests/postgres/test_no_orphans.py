"""No row names a deleted run, although no foreign key enforces it: nothing is written for a deleted run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from models.ids import new_id
from models.runs import turns
from models.runs.deletion import BELONGING, forget
from models.waiting import waits
from tests.postgres.calls import LIMITS, MOVES, RECORDS, TICKETS, Call, fence
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import TENANT, Made, World
from tests.postgres.families import turn

Connect = Callable[[], Connection]
CALLS: dict[str, Call] = {
    **MOVES,
    **RECORDS,
    **TICKETS,
    "signal": lambda m: waits.keep_signal(m.id, "word", payload="1", sender="me"),
    "turn": lambda m: turns.turn(fence(m), 1, 1.5, seen=[], gone=[], limits=LIMITS, in_flight=None),
}


def rows_of(connection: psycopg.Connection[Any], run: UUID) -> dict[str, int]:
    """Count the rows that name a run, in each table that has some."""
    tables = [*BELONGING, "delivery", "place_change"]
    counts = {
        table: connection.execute(f"SELECT count(*) AS n FROM {table} WHERE run_id = %s", [run]).fetchone()
        for table in tables
    }
    return {table: row["n"] for table, row in counts.items() if row and row["n"]}


def forgotten(world: World, situation: str = "succeeded") -> Made:
    made = world.run(situation)
    world.connection.execute("DELETE FROM place_change WHERE run_id = %s", [made.id])
    assert forget(world.connection, [made.id]) == [made.id]
    assert rows_of(world.connection, made.id) == {}
    return made


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_written_for_a_run_that_was_forgotten(world: World, name: str) -> None:
    made = forgotten(world)
    assert CALLS[name](made).all(world.connection) == []
    assert rows_of(world.connection, made.id) == {}


def test_an_effect_on_a_run_that_was_forgotten_is_dropped(own_world: World) -> None:
    made = forgotten(own_world)
    effect = {"id": new_id(), "tenant": TENANT, "target_run_id": made.id, "effect": "child_ended"}
    own_world.insert("outbox", {**effect, "data": f'{{"key": "k", "run": "{new_id()}"}}'})
    turn(own_world.connection)
    assert rows_of(own_world.connection, made.id) == {}
    assert own_world.connection.execute("SELECT id FROM outbox").fetchall() == []


def test_a_signal_that_waits_for_the_deletion_finds_no_run(world: World, connect: Connect) -> None:
    made = world.run("succeeded")
    first, second, watcher = connect(), connect(), connect()

    def send(connection: Connection) -> list[dict[str, Any]]:
        with connection.transaction():
            run_state = waits.lock_run(made.id, TENANT).all(connection)
            return run_state and waits.keep_signal(made.id, "word", payload="1", sender=None).all(connection)

    with first.transaction():
        assert forget(first, [made.id]) == [made.id]
        waiting = Waiting(second, send)
        until_blocked(watcher, waiting.pid, first.info.backend_pid)
    assert waiting.rows() == []
    assert rows_of(world.connection, made.id) == {}


def test_a_run_about_which_somebody_decides_is_not_forgotten(world: World, connect: Connect) -> None:
    made = world.run("failed")
    other = connect()
    with other.transaction():
        assert waits.lock_run(made.id, TENANT).one(other)
        assert forget(world.connection, [made.id]) == []
    assert rows_of(world.connection, made.id) != {}
