"""Records of activations are committed in order and soon, whatever their size and whichever other run is blocked."""

from __future__ import annotations

import itertools
import time

import pytest

from executor.recorder import connection as sessions
from executor.recorder import group_commit as lanes
from executor.recorder.group_commit import RECORDED, GroupCommitter, Item
from executor.recorder.recorder import LARGE, Recorder
from models.runs import recording
from models.runs.recording import LogLine
from models.statement import Statement
from tests.postgres.calls import fence
from tests.postgres.conftest import Connect
from tests.postgres.factory import World
from tests.postgres.proxied import Deaf, settings_of, until
from tests.postgres.recorders import Answers, Held, gapless, put, recorded


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
    """Another run's lock blocks the small lane, so that an item in the other lane would overtake."""
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
    assert [name for name, answer in answers.got if name[0] == "locked" and answer is RECORDED] == [
        ("locked", 1), ("locked", 2), ("locked", 3),
    ]  # fmt: skip
    assert recorded(world, locked) == ["s1##1", "s2##1", "s3##1"]
    assert took < 3 * sessions.LOCK_TIMEOUT_MS / 1000 + 1


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
    lane = GroupCommitter("test", lambda _: None)
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
