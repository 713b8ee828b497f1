"""What activations record is committed once, in order, and one run's trouble is no other's."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from executor import lane as lanes
from executor import session as sessions
from executor.lane import Answer, Item, Lane, Settled
from executor.recorder import LARGE, Recorder, claimed, committed
from models import moves, recording
from models.database import Connection
from models.ids import new_id
from models.recording import Fence, LogLine
from models.statement import Statement
from tests.postgres.calls import LIMITS, fence, record
from tests.postgres.conftest import Connect
from tests.postgres.factory import Made, World
from tests.postgres.inside import Deaf, proxy_to, settings_of, through, until
from tests.postgres.proxy import Proxy

BIG = recording.Limits(steps=1000, recorded_bytes=1 << 26)


class Answers:
    """What was answered, in the order of the answers."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, Answer]] = []

    def of(self, name: Any) -> Callable[[Answer], None]:
        return lambda answer: self.got.append((name, answer))

    def wait(self, count: int) -> list[tuple[Any, Answer]]:
        until(lambda: len(self.got) >= count, f"{count} answers")
        return self.got

    def good(self) -> list[Any]:
        return [name for name, answer in self.got if isinstance(answer, dict)]


@pytest.fixture
def bus() -> Deaf:
    return Deaf()


@pytest.fixture
def proxy(law_url: str) -> Iterator[Proxy]:
    with proxy_to(law_url) as proxy:
        yield proxy


@pytest.fixture
def recorder(bus: Deaf, proxy: Proxy, law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with settings_of(monkeypatch, DATABASE_URL=through(proxy, law_url)):
        recorder = Recorder(bus)  # type: ignore[arg-type]  # all that a recorder wants of a bus
        recorder.start()
        yield recorder
        proxy.frozen = proxy.muted = proxy.refusing = False
        recorder.stop(5)


def step(made: Made, n: int, value: str = "1") -> Statement:
    return recording.step(fence(made), n, record(f"s{n}##1", value=value), BIG, None)


def put(recorder: Recorder, made: Made, n: int, done: Callable[[Answer], None], value: str = "1") -> None:
    recorder.put(made.id, step(made, n, value), done, size=len(value), fence=fence(made), n=n)


def recorded(world: World, made: Made) -> list[str]:
    rows = world.connection.execute("SELECT key FROM step WHERE run_id = %s ORDER BY seq", [made.id]).fetchall()
    return [row["key"] for row in rows]


def gapless(world: World, made: Made) -> bool:
    return [event["seq"] for event in world.events(made.id)] == list(range(1, world.row(made.id)["seq"] + 1))


class Held:
    """The row of a run, locked by somebody."""

    def __init__(self, connection: psycopg.Connection[Any], made: Made) -> None:
        self._connection = connection
        connection.execute("BEGIN")
        connection.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [made.id])

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")


def test_every_item_is_answered_with_its_row_and_published_after_its_commit(
    world: World, recorder: Recorder, bus: Deaf
) -> None:
    made, answers = world.run("executing"), Answers()
    for n in range(1, 6):
        put(recorder, made, n, answers.of(n))

    assert [name for name, _ in answers.wait(5)] == [1, 2, 3, 4, 5]
    assert recorded(world, made) == [f"s{n}##1" for n in range(1, 6)]
    assert [message["seq"] for _, message in bus.said] == [3, 4, 5, 6, 7]
    assert gapless(world, made)


@pytest.mark.parametrize("sizes", list(itertools.product((10, LARGE + 10), repeat=3)))
def test_the_items_of_one_run_keep_their_order_whatever_their_sizes(
    world: World, recorder: Recorder, sizes: tuple[int, ...], connect: Connect
) -> None:
    """Another run's lock holds the small lane up, so that an item that took the other way would overtake."""
    made, other, answers = world.run("executing"), world.run("executing"), Answers()
    held = Held(connect(), other)
    put(recorder, other, 1, answers.of("other"))
    for n, size in enumerate(sizes, start=1):
        put(recorder, made, n, answers.of(n), value=f'"{"x" * size}"')
    until(lambda: len(answers.good()) == len(sizes), "all items are recorded although another run is locked", 3)
    held.let_go()

    answers.wait(len(sizes) + 1)
    assert recorded(world, made) == [f"s{n}##1" for n in range(1, len(sizes) + 1)]
    assert len(answers.good()) == len(sizes) + 1
    assert gapless(world, made)


def test_of_twenty_items_only_the_bad_one_is_answered_with_an_error(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    runs, answers = [world.run("executing") for _ in range(20)], Answers()
    blocker = world.run("executing")
    held = Held(connect(), blocker)
    put(recorder, blocker, 1, answers.of("blocker"))
    for number, made in enumerate(runs):  # they wait behind the blocker, so that they come as one group
        value = r'"\u0000"' if number == 7 else "1"
        bad = recording.event(fence(made), 1, "agent", '{"a": NaN}', None)
        statement = bad if number == 7 else step(made, 1, value)
        recorder.put(made.id, statement, answers.of(number), fence=fence(made), n=1)
    held.let_go()

    answered = dict(answers.wait(21))
    assert isinstance(answered[7], psycopg.errors.InvalidTextRepresentation)
    assert all(isinstance(answered[number], dict) for number in range(20) if number != 7)
    assert [len(recorded(world, made)) for made in runs] == [int(number != 7) for number in range(20)]


@pytest.mark.parametrize("bad", [{"key": "\0"}, {"key": "\ud800"}, {"attempts": 1 << 40}, {"digest": {"a": object()}}])
@pytest.mark.parametrize("alone", [True, False])
def test_an_item_that_cannot_even_be_sent_is_the_only_one_answered_with_an_error(
    world: World, recorder: Recorder, connect: Connect, bad: dict[str, Any], alone: bool
) -> None:
    blocker, made, answers = world.run("executing"), world.run("executing"), Answers()
    others = [world.run("executing") for _ in range(3)]
    held = Held(connect(), blocker)
    if not alone:  # what follows waits behind the blocker, so that it comes as one group
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


def test_a_locked_run_delays_no_other_and_is_recorded_when_it_is_free(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    locked, answers = world.run("executing"), Answers()
    others = [world.run("executing") for _ in range(3)]
    held = Held(connect(), locked)
    for n in range(1, 4):
        put(recorder, locked, n, answers.of(("locked", n)))
    began = time.monotonic()
    for turn in range(1, 6):
        for number, made in enumerate(others):
            put(recorder, made, turn, answers.of((number, turn)))
        until(lambda turn=turn: len(answers.good()) == 3 * turn, "the others go on", 5)
    took = time.monotonic() - began
    assert not recorded(world, locked)
    held.let_go()

    answers.wait(3 + 15)
    assert [name for name, answer in answers.got if name[0] == "locked" and isinstance(answer, dict)] == [
        ("locked", 1), ("locked", 2), ("locked", 3),
    ]  # fmt: skip
    assert recorded(world, locked) == ["s1##1", "s2##1", "s3##1"]
    assert took < 3 * sessions.LOCK_TIMEOUT_MS / 1000 + 1


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
    """A full disk answers at once and leaves the connection open: no reason to ask it a thousand times a second."""
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
    for n in range(1, count + 1):  # they wait behind the first, then go as one group
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
    """A ticket that comes again, though its run is still leased to this worker, must not execute the run again."""
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
        if not asked:  # not committed when it is asked about, but before the item gets the row's lock
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
    assert all(isinstance(answer, dict | Settled) for _, answer in answers.got)


def test_a_large_item_does_not_hold_up_the_small_ones_of_others(
    world: World, recorder: Recorder, connect: Connect
) -> None:
    large, small, answers = world.run("executing"), world.run("executing"), Answers()
    held = Held(connect(), large)
    put(recorder, large, 1, answers.of("large"), value=f'"{"x" * (LARGE + 1)}"')
    put(recorder, large, 2, answers.of("behind"))
    put(recorder, small, 1, answers.of("small"))

    assert [name for name, _ in answers.wait(1)] == ["small"]
    held.let_go()
    assert [name for name, _ in answers.wait(3)] == ["small", "large", "behind"]


def test_a_group_has_at_most_so_many_items_and_bytes() -> None:
    lane = Lane("test", lambda _: None)
    for size in [lanes.MAX_BYTES // 4] * 6 + [0] * 300:
        lane.put(Item(Statement("", {}), lambda _: None, size))
    groups = [[item.size for item in lane._take()] for _ in range(4)]
    assert [len(group) for group in groups] == [4, 128, 128, 46]
    assert all(sum(group) <= lanes.MAX_BYTES for group in groups)


def test_log_lines_go_under_the_fence_and_nobody_waits_for_them(world: World, recorder: Recorder) -> None:
    made = world.run("executing")
    recorder.put(made.id, recording.log(fence(made), [LogLine("agent", "info", "hello")]), lambda _: None)
    until(lambda: len(world.whole(made.id)["log"]) == 1, "the line is kept")


def test_stopping_commits_what_waits(world: World, law_url: str, bus: Deaf, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.run("executing")
    with settings_of(monkeypatch, DATABASE_URL=law_url):
        recorder = Recorder(bus)  # type: ignore[arg-type]
        recorder.start()
        for n in range(1, 31):
            put(recorder, made, n, lambda _: None)
        recorder.stop(10)
    assert len(recorded(world, made)) == 30
