"""Turns and abandoned steps are recorded under the fence, once; of a concurrent withdrawal and decision exactly one holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from executor.recorder.group_commit import Settled
from executor.recorder.recorder import Recorder
from models.ids import new_id
from models.runs import recording
from models.runs.recording import Limits
from models.runs.turns import TURNS, GivingUp, turn
from models.runtime.database import Row
from models.statement import Statement
from tests.postgres.calls import LIMITS, fence, record
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import Made, World
from tests.postgres.plans import own_database, scans_of
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy
from tests.postgres.recorders import Answers, Muted, gapless, recorded
from tests.postgres.test_opening import _ask, _decide, _opened, _waits, _word

Connect = Callable[[], Connection]


def _turn(
    made: Made, *seen: str, n: int = 1, gone: tuple[str, ...] = (), at: float = 5.5, limits: Limits = LIMITS
) -> Statement | GivingUp:
    return turn(fence(made), n, at, seen=seen, gone=gone, limits=limits, in_flight=None)


def _turned(connection: psycopg.Connection[Any], item: Statement | GivingUp) -> Any:
    with connection.transaction():
        return item.one(connection)
    return None


def _turns(world: World, made: Made) -> list[Row]:
    return world.connection.execute(TURNS, {"run": made.id}).fetchall()


def _abandoned(made: Made, n: int = 1, key: str = "a##1", limits: Limits = LIMITS) -> Statement:
    return recording.abandoned(fence(made), n, record(key, "abandoned", at_ms=7.25), limits, None)


def _steps(world: World, made: Made) -> dict[str, Row]:
    rows = world.connection.execute("SELECT * FROM step WHERE run_id = %s", [made.id]).fetchall()
    return {row["key"]: row for row in rows}


def test_a_turn_says_what_was_seen_when_and_between_which_steps(world: World) -> None:
    made = world.run("executing")
    recording.step(fence(made), 1, record(at_ms=3), LIMITS, None).one(world.connection)
    assert _turned(world.connection, _turn(made, "b", "a", n=2)) is not None
    recording.step(fence(made), 3, record("b##1", at_ms=8), LIMITS, None).one(world.connection)

    [row], steps = _turns(world, made), _steps(world, made)
    assert (row["seen"], row["gone"], row["at"], row["n"], row["epoch"]) == (["b", "a"], [], 5.5, 2, made.epoch)
    assert steps["a##1"]["seq"] <= row["seq"] < steps["b##1"]["seq"]
    assert [steps[key]["at_ms"] for key in ("a##1", "b##1")] == [3, 8]
    assert isinstance(_turn(made), Statement), "a mere moment goes together with other items"


def test_a_turn_under_another_fence_or_a_second_time_is_none(world: World) -> None:
    made = world.run("executing")
    _opened(world.connection, made, _ask())
    assert _turned(world.connection, _turn(made, "a", n=2)) is not None
    before = world.whole(made.id)
    for other in (made, replace(made, epoch=made.epoch - 1), replace(made, worker=new_id())):
        for gone in ((), ("approve#1",)):
            assert _turned(world.connection, _turn(other, "a", n=2, gone=gone)) is None
    assert world.whole(made.id) == before


def test_turns_count_against_what_a_run_may_record(world: World) -> None:
    made = world.run("executing")
    assert _turned(world.connection, _turn(made, "x" * 200, limits=Limits(10, 300))) is None
    assert _turned(world.connection, _turn(made, "x" * 200, limits=Limits(10, 400))) is not None
    assert world.row(made.id)["recorded_bytes"] > 300


def test_a_wait_that_is_given_up_is_withdrawn_and_people_see_that(world: World) -> None:
    made, asked = world.run("executing"), _ask()
    _opened(world.connection, made, asked, _word())
    row = _turned(world.connection, _turn(made, n=2, gone=("approve#1", "word#1", "unknown")))

    assert {wait["outcome"] for wait in _waits(world, made).values()} == {"withdrawn"}
    [event] = [event for event in world.events(made.id) if event["type"] == "run_action"]
    assert event["data"] == {"waitId": str(asked.id), "decision": "withdrawn", "digest": asked.digest}
    assert (event["status"], row.events[0].seq) == ("RUNNING", event["seq"])
    assert gapless(world, made)
    assert _decide(world.connection, made, asked.id) == [], "its link is used up"


def test_what_is_over_when_it_is_given_up_keeps_its_outcome(world: World) -> None:
    made, asked = world.run("executing"), _ask()
    _opened(world.connection, made, asked)
    assert _decide(world.connection, made, asked.id)
    assert _turned(world.connection, _turn(made, n=2, gone=("approve#1",))) is not None
    assert _waits(world, made)["approve#1"]["outcome"] == "approved"
    assert _turns(world, made)[0]["gone"] == ["approve#1"]


@pytest.mark.parametrize("first", ["decision", "withdrawal"])
def test_a_decision_and_a_withdrawal_that_meet_give_one_outcome(world: World, connect: Connect, first: str) -> None:
    made, asked, holder, other = world.run("executing"), _ask(), connect(), connect()
    _opened(world.connection, made, asked)
    acts: list[Callable[[Connection], list[Any]]] = [
        lambda connection: _decide(connection, made, asked.id),
        lambda connection: [_turned(connection, _turn(made, n=2, gone=("approve#1",)))],
    ]
    winner, loser = acts if first == "decision" else reversed(acts)
    holder.execute("BEGIN")
    winner(holder)
    waiting = Waiting(other, loser)
    until_blocked(world.connection, waiting.pid, holder.info.backend_pid)
    holder.execute("COMMIT")
    waiting.rows()
    assert _waits(world, made)["approve#1"]["outcome"] == ("approved" if first == "decision" else "withdrawn")
    assert [event["type"] for event in world.events(made.id)].count("run_action") == 1
    assert gapless(world, made)


@pytest.mark.parametrize("gone", [(), ("approve#1",)], ids=["statement", "transaction"])
def test_a_turn_whose_answer_was_lost_is_there_once(
    world: World, recorder: Recorder, proxy: Proxy, gone: tuple[str, ...]
) -> None:
    made, answers = world.run("executing"), Answers()
    _opened(world.connection, made, _ask())
    item = Muted(_turn(made, "a", n=2, gone=gone), proxy)
    recorder.put(made.id, item, answers.of(1), fence=fence(made), n=2, alone=True)
    until(lambda: world.row(made.id)["recorded_n"] == 2, "it is committed")
    proxy.muted = False
    proxy.cut()
    [(_, answer)] = answers.wait(1)
    assert isinstance(answer, Settled)
    assert len(_turns(world, made)) == 1
    assert gapless(world, made)


def test_an_abandoned_step_is_finished_and_told(world: World) -> None:
    made = world.run("executing")
    row = _abandoned(made).one(world.connection)
    assert row is not None
    assert row["data"] == {"step": {"key": "a##1", "name": "a", "status": "abandoned", "attempts": 1, "durationMs": 3}}
    step = _steps(world, made)["a##1"]
    assert (step["status"], step["at_ms"], step["seq"], step["value"]) == ("abandoned", 7.25, row["seq"], None)
    assert step["finished_at"] is not None
    assert world.row(made.id)["step_count"] == 1


@pytest.mark.parametrize("status", ["retrying", "intended"])
def test_a_step_that_was_begun_becomes_abandoned(world: World, status: str) -> None:
    made = world.run("executing")
    recording.step(fence(made), 1, record(status=status), LIMITS, None).one(world.connection)
    assert _abandoned(made, 2).one(world.connection) is not None
    assert _steps(world, made)["a##1"]["status"] == "abandoned"
    assert gapless(world, made)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_step_that_is_finished_is_never_abandoned(world: World, status: str) -> None:
    made = world.run("executing")
    recording.step(fence(made), 1, record(status=status), LIMITS, None).one(world.connection)
    before = world.whole(made.id)
    row = _abandoned(made, 2).one(world.connection)
    assert row is not None
    assert row["seq"] is None, "it is acknowledged, and nothing is told"
    after = world.whole(made.id)
    assert (after["step"], after["event"]) == (before["step"], before["event"])
    assert (world.row(made.id)["step_count"], world.row(made.id)["recorded_n"]) == (1, 2)


def test_abandoned_steps_count_against_the_limit(world: World) -> None:
    made = world.run("executing")
    assert _abandoned(made, limits=Limits(0, 10_000)).one(world.connection) is None
    assert _steps(world, made) == {}


def test_abandoned_steps_and_turns_of_many_runs_go_together_in_their_order(world: World, recorder: Recorder) -> None:
    runs, answers = [world.run("executing") for _ in range(4)], Answers()
    for n in range(1, 9, 2):
        for made in runs:
            recorder.put(made.id, _abandoned(made, n, f"s{n}##1"), answers.of(n), fence=fence(made), n=n)
            recorder.put(made.id, _turn(made, f"w{n}", n=n + 1), answers.of(n + 1), fence=fence(made), n=n + 1)
    answers.wait(32)
    for made in runs:
        assert recorded(world, made) == [f"s{n}##1" for n in range(1, 9, 2)]
        assert [row["seen"] for row in _turns(world, made)] == [[f"w{n}"] for n in range(1, 9, 2)]
        assert gapless(world, made)


def test_turns_are_found_by_their_run(servers: Any, template_database: str) -> None:
    with own_database(servers, template_database) as world:
        runs = [world.run("executing", tenant=f"t{n}") for n in range(5)]
        for made in runs:
            for n in range(1, 4):
                assert _turned(world.connection, _turn(made, n=n)) is not None
        world.connection.execute("VACUUM ANALYZE")
        world.connection.execute("SET enable_seqscan = off")
        item = _turn(runs[0], "a", n=9)
        assert isinstance(item, Statement)
        for generic in (True, False):
            assert scans_of(world, item.sql, item.params, generic=generic)["run"] == {"run_pkey"}
            assert scans_of(world, TURNS, {"run": runs[0].id}, generic=generic) == {"turn": {"turn_pkey"}}
