"""Records of activations are written once, even if the connection is lost before the commit is acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from executor.recorder.group_commit import Item, Settled, is_committed
from executor.recorder.recorder import LARGE, Recorder, claimed, committed
from models import moves
from models.ids import new_id
from models.runs import recording
from models.runs.recording import Fence
from models.runtime.database import Connection
from tests.postgres.calls import fence
from tests.postgres.conftest import Connect
from tests.postgres.factory import World
from tests.postgres.proxied import until
from tests.postgres.proxy import Proxy
from tests.postgres.recorders import Answers, gapless, put, recorded, step


def _gone_after_commit(proxy: Proxy, committed: Callable[[], bool]) -> None:
    until(committed, "the commit that nobody hears of")
    proxy.muted = False
    proxy.cut()


@pytest.mark.parametrize("count", [1, 8])
def test_items_whose_acknowledgement_was_lost_are_written_once(
    world: World, recorder: Recorder, proxy: Proxy, count: int, connect: Connect
) -> None:
    made, other, answers = world.run("executing"), world.run("executing"), Answers()
    proxy.muted = True
    put(recorder, other, 1, answers.of("first"))
    until(lambda: world.row(other.id)["recorded_n"] == 1, "the first is committed")
    for n in range(1, count + 1):  # they wait behind the first, then are committed as one group
        put(recorder, made, n, answers.of(n))
    _gone_after_commit(proxy, lambda: True)

    answers.wait(count + 1)
    assert recorded(world, made) == [f"s{n}##1" for n in range(1, count + 1)]
    assert isinstance(dict(answers.got)["first"], Settled)
    assert len(world.events(other.id)) == 3
    assert gapless(world, made)
    assert gapless(world, other)


def test_a_group_whose_acknowledgement_was_lost_is_written_once(
    world: World, recorder: Recorder, proxy: Proxy, connect: Connect
) -> None:
    runs, blocker, answers = [world.run("executing") for _ in range(8)], world.run("executing"), Answers()
    put(recorder, blocker, 1, answers.of("warm"))
    answers.wait(1)
    proxy.muted = True
    statement = recording.in_flight(fence(blocker), "a##1")
    recorder.put(blocker.id, statement, answers.of("blocker"))
    until(lambda: world.row(blocker.id)["step_in_flight"] == "a##1", "the blocker is committed")
    for made in runs:
        for n in (1, 2):
            put(recorder, made, n, answers.of((made.id, n)))
    proxy.muted = False  # the blocker's answer is lost all the same; the group is cut off in its turn
    proxy.cut()

    answers.wait(18)
    for made in runs:
        assert recorded(world, made) == ["s1##1", "s2##1"]
        assert gapless(world, made)


def test_a_finish_whose_acknowledgement_was_lost_is_answered_as_done(
    world: World, recorder: Recorder, proxy: Proxy
) -> None:
    made, answers = world.run("executing"), Answers()
    proxy.muted = True
    statement = moves.succeed(made.id, made.epoch, made.worker, n=4, result="7", active_ms=1)
    recorder.put(made.id, statement, answers.of("finish"), fence=fence(made), n=4)
    _gone_after_commit(proxy, lambda: world.row(made.id)["status"] == "SUCCESS")

    [(_, answer)] = answers.wait(1)
    assert isinstance(answer, Settled)
    assert [event["verb"] for event in world.events(made.id)] == ["enqueue", "start", "succeed"]


def test_only_a_claim_whose_acknowledgement_was_lost_is_ours_without_a_row(
    world: World, recorder: Recorder, proxy: Proxy
) -> None:
    """A ticket that is delivered again, while its run is still leased to this worker, must not execute the run again."""
    made, answers, worker = world.run("promoted"), Answers(), new_id()
    statement = moves.claim(made.id, made.epoch, worker, label="w", versions="{}", served=["echo"])
    settle = partial(claimed, fence=Fence(made.id, made.epoch, worker))
    proxy.muted = True
    recorder.put(made.id, statement, answers.of("lost"), settle=settle)
    _gone_after_commit(proxy, lambda: world.row(made.id)["lease_worker"] == worker)
    answers.wait(1)
    recorder.put(made.id, statement, answers.of("doubled"), settle=settle)
    answers.wait(2)

    said = dict(answers.got)
    assert isinstance(said["lost"], Settled)
    assert said["doubled"] is None


def test_a_commit_of_a_lost_session_that_comes_late_is_still_found(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    made, answers, lost = world.run("executing"), Answers(), connect()
    lost.execute("BEGIN")
    assert step(made, 1).one(lost) is not None
    asked: list[bool] = []

    def settle(connection: Connection) -> bool:
        if not asked:  # not committed at the time of the check, but before the item gets the row's lock
            threading.Timer(0.05, lambda: lost.execute("COMMIT")).start()
        asked.append(committed(connection, fence(made), 1))
        return asked[-1]

    recorder._small.put(Item(step(made, 1), answers.of(1), settle=settle, run=made.id, unsure=True))

    [(_, answer)] = answers.wait(1)
    assert isinstance(answer, Settled)
    assert asked == [False, True]
    assert recorded(world, made) == ["s1##1"]


def test_sessions_that_are_ended_in_the_middle_lose_and_double_nothing(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    runs, answers = [world.run("executing") for _ in range(6)], Answers()
    going = threading.Event()

    def terminate() -> None:
        connection = connect()
        while not going.is_set():
            connection.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name LIKE 'taxiway recorder %' AND datname = current_database()"""
            )
            time.sleep(0.1)  # long enough for some of the groups to be committed

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        for n in range(1, 41):
            for made in runs:
                put(recorder, made, n, answers.of((made.id, n)), value=f'"{"x" * (LARGE + 1)}"' if n % 13 == 0 else "1")
            if n % 10 == 0:
                until(lambda n=n: len(answers.got) == 6 * n, "a quarter is answered", 60)
    finally:
        going.set()
        thread.join()

    for made in runs:
        assert recorded(world, made) == [f"s{n}##1" for n in range(1, 41)]
        assert gapless(world, made)
    assert all(is_committed(answer) for _, answer in answers.got)
