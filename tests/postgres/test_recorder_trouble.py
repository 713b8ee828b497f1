"""An item that cannot be recorded is the only one that is refused, and an unreachable database is waited for."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from executor.recorder import connection as sessions
from executor.recorder.group_commit import RECORDED
from executor.recorder.recorder import Recorder
from models.runs import recording
from models.statement import Statement
from tests.postgres.calls import LIMITS, fence, record
from tests.postgres.conftest import Connect
from tests.postgres.factory import World
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy
from tests.postgres.recorders import Answers, Held, put, recorded, step


def test_of_twenty_items_only_the_bad_one_is_answered_with_an_error(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    runs, answers = [world.run("executing") for _ in range(20)], Answers()
    blocker = world.run("executing")
    held = Held(connect(), blocker)
    put(recorder, blocker, 1, answers.of("blocker"))
    for number, made in enumerate(runs):  # they wait behind the blocker, so that they form one group
        value = r'"\u0000"' if number == 7 else "1"
        bad = recording.event(fence(made), 1, "agent", '{"a": NaN}', None)
        statement = bad if number == 7 else step(made, 1, value)
        recorder.put(made.id, statement, answers.of(number), fence=fence(made), n=1)
    held.let_go()

    answered = dict(answers.wait(21))
    assert isinstance(answered[7], psycopg.errors.InvalidTextRepresentation)
    assert all(answered[number] is RECORDED for number in range(20) if number != 7)
    assert [len(recorded(world, made)) for made in runs] == [int(number != 7) for number in range(20)]


@pytest.mark.parametrize("bad", [{"key": "\0"}, {"key": "\ud800"}, {"attempts": 1 << 40}, {"digest": {"a": object()}}])
@pytest.mark.parametrize("alone", [True, False])
def test_an_item_that_cannot_even_be_sent_is_the_only_one_answered_with_an_error(
    world: World, recorder: Recorder, connect: Connect, bad: dict[str, Any], alone: bool
) -> None:
    blocker, made, answers = world.run("executing"), world.run("executing"), Answers()
    others = [world.run("executing") for _ in range(3)]
    held = Held(connect(), blocker)
    if not alone:  # the following items wait behind the blocker, so that they form one group
        put(recorder, blocker, 1, answers.of("blocker"))
    put(recorder, others[0], 1, answers.of(0))
    recorder.put(made.id, recording.step(fence(made), 1, record(**bad), LIMITS, None), answers.of("bad"))
    put(recorder, others[1], 1, answers.of(1))
    held.let_go()
    answers.wait(3 if alone else 4)
    put(recorder, others[2], 1, answers.of(2))

    answered = dict(answers.wait(4 if alone else 5))
    assert isinstance(answered["bad"], Exception)
    assert [recorded(world, other) for other in others] == [["s1##1"]] * 3  # as another session sees it
    assert [message["seq"] for _, message in recorder._bus.said].count(3) == len(answered) - 1  # type: ignore[attr-defined]


def test_an_item_past_its_fence_is_answered_with_no_row(world: World, recorder: Recorder) -> None:
    made, answers = world.run("executing"), Answers()
    world.connection.execute("UPDATE run SET epoch = epoch + 1 WHERE id = %s", [made.id])
    put(recorder, made, 1, answers.of(1))
    assert answers.wait(1) == [(1, None)]


def test_items_wait_while_postgresql_is_away_and_it_is_said_once(
    world: World, recorder: Recorder, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sessions, "fact", lambda name, **_: said.append(name))
    made, answers = world.run("executing"), Answers()
    proxy.refusing = True
    proxy.cut()
    for n in range(1, 4):
        put(recorder, made, n, answers.of(n))
    tried = proxy.accepted
    until(lambda: proxy.accepted >= tried + 4, "the lane tries to connect again and again")
    assert answers.got == []
    proxy.refusing = False

    answers.wait(3)
    assert recorded(world, made) == ["s1##1", "s2##1", "s3##1"]
    assert said == ["database.away", "database.back"]


def test_means_that_are_exhausted_for_a_while_are_waited_for_and_said_once(
    world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk answers immediately and leaves the connection open: no reason to ask it a thousand times a second."""
    said: list[str] = []
    monkeypatch.setattr(sessions, "fact", lambda name, **_: said.append(name))
    made, answers = world.run("executing"), Answers()
    tries: list[float] = []
    one = Statement.one

    def full(statement: Statement, connection: psycopg.Connection[Any]) -> Any:
        if statement.params.get("run") == made.id and "UPDATE" in statement.sql and len(tries) < 4:
            tries.append(time.monotonic())
            raise psycopg.errors.DiskFull("no space left on device")
        return one(statement, connection)

    monkeypatch.setattr(Statement, "one", full)
    put(recorder, made, 1, answers.of(1))

    answers.wait(1)
    assert recorded(world, made) == ["s1##1"]
    assert said == ["database.away", "database.back"]
    assert tries[-1] - tries[0] > 0.2
