"""A caller that waits for its item commits it in its own thread while no other commit is in progress, and loses nothing."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from executor.errors import StepFinished
from executor.recorder.group_commit import RECORDED, Answer, Settled
from executor.recorder.recorder import Recorder
from models import moves
from models.statement import Statement
from models.stored_event import StoredEvent
from tests.postgres.calls import fence
from tests.postgres.conftest import Connect
from tests.postgres.factory import Made, World
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy
from tests.postgres.recorders import Answers, Held, gapless, put, recorded, step


class Writer(threading.Thread):
    """Writes an item, and keeps its answer and the thread of its commit."""

    def __init__(self, recorder: Recorder, made: Made, statement: Statement, n: int = 1) -> None:
        super().__init__(name="writer", daemon=True)
        self._recorder, self._made, self._statement, self._n = recorder, made, statement, n
        self.answer: Answer = None
        self.committed_in = ""

    def run(self) -> None:
        self.answer = self._recorder.write(
            self._made.id, self._statement, then=self._note, fence=fence(self._made), n=self._n
        )

    def _note(self) -> None:
        self.committed_in = threading.current_thread().name

    def written(self) -> Writer:
        self.start()
        return self.ended()

    def ended(self) -> Writer:
        self.join(10)
        assert not self.is_alive()
        return self


def _finish(made: Made, n: int = 1) -> Statement:
    return moves.succeed(made.id, made.epoch, made.worker, n=n, result="7", active_ms=1)


def test_an_item_that_somebody_waits_for_is_committed_in_the_thread_that_waits(
    world: World, recorder: Recorder
) -> None:
    made = world.run("executing")
    writer = Writer(recorder, made, _finish(made)).written()

    assert isinstance(writer.answer, StoredEvent)
    assert writer.committed_in == "writer"
    assert world.row(made.id)["status"] == "SUCCESS"


def test_while_somebody_commits_it_goes_with_what_waits(world: World, recorder: Recorder) -> None:
    made, other, answers = world.run("executing"), world.run("executing"), Answers()
    writer = Writer(recorder, made, _finish(made))
    with recorder._small._session_lock:
        writer.start()
        until(lambda: made.id in recorder._under_way, "the item is put")
        put(recorder, other, 1, answers.of(1))
    writer.ended()

    assert isinstance(writer.answer, StoredEvent)
    assert writer.committed_in == "recorder-small"
    answers.wait(1)


def test_it_overtakes_no_item_of_its_run(world: World, recorder: Recorder, connect: Connect) -> None:
    made, answers = world.run("executing"), Answers()
    held = Held(connect(), made)
    put(recorder, made, 1, answers.of(1))
    until(lambda: bool(recorder._small._locked), "the first is put aside")
    held.let_go()
    writer = Writer(recorder, made, step(made, 2), 2).written()

    assert recorded(world, made) == ["s1##1", "s2##1"]
    assert writer.committed_in == "recorder-small"
    assert gapless(world, made)


def test_one_whose_acknowledgement_was_lost_is_answered_as_done(world: World, recorder: Recorder, proxy: Proxy) -> None:
    made = world.run("executing")
    writer = Writer(recorder, made, _finish(made))
    proxy.muted = True
    writer.start()
    until(lambda: world.row(made.id)["status"] == "SUCCESS", "the commit that nobody hears of")
    proxy.muted = False
    proxy.cut()

    assert isinstance(writer.ended().answer, Settled)
    assert [event["verb"] for event in world.events(made.id)] == ["enqueue", "start", "succeed"]


def test_it_is_known_to_be_in_doubt_also_when_somebody_else_found_the_database_again(
    world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, session = world.run("executing"), recorder._small._session
    real = session.execute

    def committed_and_lost(statements: list[Statement]) -> Any:
        monkeypatch.setattr(session, "execute", real)
        real(statements)
        raise psycopg.errors.AdminShutdown

    monkeypatch.setattr(session, "execute", committed_and_lost)
    assert isinstance(Writer(recorder, made, _finish(made)).written().answer, Settled)


def test_what_is_refused_is_answered_so(world: World, recorder: Recorder) -> None:
    made = world.run("executing")
    writer = Writer(recorder, made, Statement("SELECT 1 / 0", {})).written()
    assert isinstance(writer.answer, psycopg.errors.DivisionByZero)
    assert isinstance(Writer(recorder, made, _finish(made)).written().answer, StoredEvent)


def test_a_step_that_was_finished_before_is_answered_by_an_error_of_ours(world: World, recorder: Recorder) -> None:
    made = world.run("executing")
    assert Writer(recorder, made, step(made, 1)).written().answer is RECORDED
    again = Statement(step(made, 1).sql, {**step(made, 1).params, "n": 2})
    assert isinstance(Writer(recorder, made, again, n=2).written().answer, StepFinished)
    assert (recorded(world, made), gapless(world, made)) == (["s1##1"], True)


def test_one_whose_run_is_locked_holds_up_no_other(world: World, recorder: Recorder, connect: Connect) -> None:
    made, other, answers = world.run("executing"), world.run("executing"), Answers()
    held = Held(connect(), made)
    writer = Writer(recorder, made, _finish(made))
    writer.start()
    until(lambda: made.id in recorder._under_way, "the item is tried")
    put(recorder, other, 1, answers.of(1))
    answers.wait(1)
    assert writer.is_alive()
    held.let_go()

    assert isinstance(writer.ended().answer, StoredEvent)
