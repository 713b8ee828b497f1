"""Accepting runs: all the rows of a run or none, QUEUED and ready, with its first event."""

from __future__ import annotations

import psycopg
import pytest

from models.runs.enqueue import NewRun, enqueue
from tests.postgres.factory import World


def test_an_accepted_run_is_queued_ready_and_has_its_first_event(world: World) -> None:
    run = NewRun(agent="echo", queue="q", input='{"x":  "\\u0000"}', priority=5, timeout_ms=None, user_id="u1")
    [row] = enqueue(world.connection, "acme", [run])

    kept = world.row(run.id)
    assert (kept["status"], kept["seq"], kept["epoch"], kept["tenant"]) == ("QUEUED", 1, 0, "acme")
    assert (kept["priority"], kept["timeout_ms"], kept["user_id"], kept["agent"]) == (5, None, "u1", "echo")
    assert kept["ready_at"] == kept["created_at"]
    [event] = world.events(run.id)
    assert (event["seq"], event["type"], event["verb"], event["status"]) == (1, "status", "enqueue", "QUEUED")
    assert event["at"] == kept["created_at"]
    assert {name: getattr(row, name) for name in event} == event
    assert (row.queue, row.agent) == ("q", "echo")
    text = world.connection.execute("SELECT input::text AS text FROM payload WHERE run_id = %s", [run.id]).fetchone()
    assert text == {"text": '{"x":  "\\u0000"}'}


def test_its_labels_find_it_again(world: World) -> None:
    runs = [
        NewRun(
            agent="echo", queue="q", input="{}", tags=("night", "eu", "night"), metadata={"team": "x", "night": "1"}
        ),
        NewRun(agent="echo", queue="q", input="{}"),
    ]
    enqueue(world.connection, "acme", runs)

    sql = "SELECT kind, name, value FROM label WHERE run_id = %s ORDER BY kind, name"
    kept = [[tuple(row.values()) for row in world.connection.execute(sql, [run.id]).fetchall()] for run in runs]
    assert kept == [
        [("metadata", "night", "1"), ("metadata", "team", "x"), ("tag", "eu", ""), ("tag", "night", "")],
        [],
    ]


def test_a_batch_is_accepted_as_a_whole_or_not_at_all(world: World) -> None:
    good, bad = NewRun(agent="echo", queue="q", input="{}"), NewRun(agent="echo", queue="q", input="{}", priority=101)
    with pytest.raises(psycopg.errors.CheckViolation), world.connection.transaction():
        enqueue(world.connection, "acme", [good, bad])

    for table, key in (("run", "id"), ("payload", "run_id"), ("event", "run_id")):
        assert world.connection.execute(f"SELECT FROM {table} WHERE {key} = %s", [good.id]).fetchone() is None


def test_a_thousand_runs_are_accepted_at_once_in_their_order(world: World) -> None:
    runs = [NewRun(agent="echo", queue="q1000", input="{}", tags=("t",)) for _ in range(1000)]
    assert len(enqueue(world.connection, "acme", runs)) == 1000

    rows = world.connection.execute("SELECT id FROM run WHERE queue = 'q1000' ORDER BY fair_tag").fetchall()
    assert [row["id"] for row in rows] == [run.id for run in runs]


def test_nothing_to_enqueue_is_nothing(world: World) -> None:
    assert enqueue(world.connection, "acme", []) == []
