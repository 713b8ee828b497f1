"""A retry keeps what an async agent saw: abandoned steps, moments, and turns that name kept records."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from models.ids import new_id
from models.runs import retry as retrying
from models.runs.turns import TURNS
from tests.postgres.factory import TENANT, Made, World
from tests.rows import whole_run


def _at(seconds: float) -> str:
    return f"now() - interval '1 hour' + {seconds} * interval '1 s'"


def _step(world: World, made: Made, key: str, status: str, seq: int, ended: float) -> None:
    values = {
        "run_id": made.id,
        "key": key,
        "tenant": TENANT,
        "name": key,
        "digest": "",
        "occurrence": 1,
        "attempts": 1,
    }
    told = {"value": "1"} if status == "succeeded" else {"error": "{}"} if status == "failed" else {}
    world.insert(
        "step", {**values, **told, "status": status, "seq": seq, "at_ms": ended * 1000},
        started_at=_at(ended - 0.5), finished_at=_at(ended),
    )  # fmt: skip


def _wait(world: World, made: Made, key: str, outcome: str, ended: float) -> None:
    values = {"id": new_id(), "run_id": made.id, "tenant": TENANT, "key": key, "kind": "signal", "outcome": outcome}
    world.insert("wait", values, opened_at=_at(ended - 0.6), resolved_at=_at(ended))


def _turn(world: World, made: Made, n: int, seq: int, ended: float, *seen: str, gone: tuple[str, ...] = ()) -> None:
    values = {"run_id": made.id, "epoch": 3, "n": n, "tenant": TENANT, "seq": seq, "at_ms": ended * 1000}
    told = {"seen": json.dumps(seen), "gone": json.dumps(gone)}
    world.insert("turn", {**values, **told}, committed_at=_at(ended))


def _retried(world: World, made: Made) -> tuple[Made, list[dict[str, Any]]]:
    retry = world.run("queued")
    world.connection.execute("UPDATE payload SET error = '{}' WHERE run_id = %s", [made.id])
    row = whole_run(id=made.id, error={"code": "agent_error"})
    with world.connection.transaction():
        retrying.begin(world.connection, row, retry.id).put(world.connection)
    return retry, world.connection.execute(TURNS, {"run": retry.id}).fetchall()


def _steps(world: World, made: Made) -> list[tuple[str, str, int, float]]:
    rows = world.connection.execute("SELECT * FROM step WHERE run_id = %s ORDER BY seq", [made.id]).fetchall()
    return [(row["key"], row["status"], row["seq"], row["at_ms"]) for row in rows]


def test_turns_stand_between_the_copies_where_they_stood(world: World) -> None:
    made = world.run("failed")
    _step(world, made, "a", "succeeded", 5, 1)
    _turn(world, made, 2, 5, 2, "w1", "lost")
    _step(world, made, "b", "abandoned", 7, 3)
    _turn(world, made, 4, 9, 4, gone=("lost", "w2"))
    _step(world, made, "c", "succeeded", 12, 5)
    _wait(world, made, "w1", "received", 1.5)
    _wait(world, made, "w2", "timeout", 3.5)
    _wait(world, made, "lost", "withdrawn", 4)
    retry, turns = _retried(world, made)

    assert _steps(world, retry) == [
        ("a", "succeeded", -2, 1000),
        ("b", "abandoned", -1, 3000),
        ("c", "succeeded", 0, 5000),
    ]
    assert [(row["seq"], row["at"], row["seen"], row["gone"]) for row in turns] == [
        (-2, 2000, ["w1"], []), (-1, 4000, [], ["w2"]),
    ]  # fmt: skip


def test_what_was_seen_behind_the_end_of_what_is_kept_is_not_taken_over(world: World) -> None:
    made = world.run("failed")
    _turn(world, made, 1, 2, 0.5)
    _step(world, made, "a", "succeeded", 5, 1)
    _wait(world, made, "w1", "received", 0.9)
    _turn(world, made, 3, 5, 2, "w1")
    _turn(world, made, 4, 5, 2.5)
    _step(world, made, "b", "failed", 7, 3)
    _wait(world, made, "w2", "received", 0.8)
    _turn(world, made, 6, 7, 4, "w2")
    retry, turns = _retried(world, made)

    assert [key for key, *_ in _steps(world, retry)] == ["a"]
    assert [(row["seq"], row["seen"]) for row in turns] == [(-1, []), (0, ["w1"])]


def test_a_step_that_was_given_up_last_is_tried_again(world: World) -> None:
    made = world.run("failed")
    _step(world, made, "a", "succeeded", 5, 1)
    _step(world, made, "b", "abandoned", 7, 3)
    retry, _ = _retried(world, made)
    assert [key for key, *_ in _steps(world, retry)] == ["a"]


def test_what_was_given_up_in_the_moment_of_the_last_good_thing_is_kept(world: World) -> None:
    made = world.run("failed")
    _step(world, made, "a", "abandoned", 5, 3)
    _step(world, made, "b", "succeeded", 7, 3)
    assert timedelta(0) == _difference(world, made)
    retry, _ = _retried(world, made)
    assert [key for key, *_ in _steps(world, retry)] == ["a", "b"]


def _difference(world: World, made: Made) -> timedelta:
    """Compute both ends for the same moment, as one group commit does."""
    world.connection.execute("UPDATE step SET finished_at = date_trunc('minute', now()) WHERE run_id = %s", [made.id])
    row = world.connection.execute(
        "SELECT max(finished_at) - min(finished_at) AS apart FROM step WHERE run_id = %s", [made.id]
    ).fetchone()
    assert row is not None
    return row["apart"]  # type: ignore[no-any-return]  # a row has values of any type
