"""Properties of every execution of a program."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from taxiway.frames import Kind
from taxiway.ledger import Status

from .executing import Execution, execute
from .node import Node
from .world import World

WAYS = ("stay", "park", "mixed")


@dataclass
class Figures:
    """Numbers of executions."""

    programs: int = 0
    executions: int = 0
    activations: int = 0
    records: int = 0

    def count(self, done: Execution) -> None:
        """Count an execution."""
        self.executions += 1
        self.activations += done.activations


def check(program: Node, seed: int, figures: Figures) -> None:
    """Execute a program in every way, and again with a crash after each of its records and effects."""
    figures.programs += 1
    for way in WAYS:
        whole = execute(World(program, seed, way), snapshots=True)
        assert whole.world is not None
        figures.count(whole)
        figures.records += whole.world.taken
        _is_right(whole)
        for snapshot in whole.snapshots:
            at = f"{way}, after {snapshot.what}"
            again = execute(snapshot.world.copy(), seen=snapshot.seen)
            figures.count(again)
            _is_right(again, twice=snapshot.what == "effect")
            if snapshot.decides:
                assert again.result == whole.result, f"{at}: {again.result} instead of {whole.result}"
        if all(snapshot.decides for snapshot in whole.snapshots):
            _check_dying(program, seed, way, whole.result, figures)
        _check_replay(whole, figures)


def check_any_part(program: Node, seed: int, figures: Figures) -> None:
    """Replay any part of a program's records: the other steps are executed, at other times, and each gets its own value."""
    whole = execute(World(program, seed, "stay"))
    assert whole.world is not None
    for number in range(4):
        part = whole.world.copy()
        kept = random.Random(seed + number)
        part.seed, part.effects = seed + number, Counter()
        part.records._steps = {key: item for key, item in part.records._steps.items() if kept.random() < 0.5}
        before = set(part.records._steps)
        again = execute(part)
        figures.count(again)
        assert again.end["frame"] == Kind.FINISH, again.end
        assert again.result[0] == whole.result[0], f"{again.result[0]} instead of {whole.result[0]}"
        assert not {key for key in before if part.effects[f"{key} 1"] and part.records._steps[key]["attempts"] == 1}


def _check_dying(program: Node, seed: int, way: str, result: Any, figures: Figures) -> None:
    """Execute it with a host that dies after every single record."""
    died = execute(
        World(program, seed, way), dies_after=lambda frame: frame["frame"] not in (Kind.OPEN, Kind.EVENT, Kind.PARK)
    )
    figures.count(died)
    _is_right(died)
    assert died.result == result, f"{way}, dying always: {died.result} instead of {result}"


def _check_replay(whole: Execution, figures: Figures) -> None:
    """Replay the whole run: nothing new may happen."""
    assert whole.world is not None
    world = whole.world.copy()
    replayed = execute(world, seen=whole.seen)
    figures.count(replayed)
    assert replayed.result == whole.result, "another result of nothing but records"
    assert world.effects == whole.world.effects, "a replay did something"


def _is_right(done: Execution, *, twice: bool = False) -> None:
    world = done.world
    assert world is not None
    assert done.end["frame"] == Kind.FINISH, done.end
    for item in world.records._steps.values():
        times = world.effects[f"{item['key']} {item['attempts']}"]
        if item["status"] == Status.SUCCEEDED and not item["name"].startswith("spawn:"):
            assert 1 <= times <= 1 + twice, f"{item['key']} was executed {times} times"
