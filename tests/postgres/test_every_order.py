"""Any two or three acts on one run, in every order: the run ends in a state that the law allows.

Each begins while those before it hold their transactions open, and waits for their locks. The product's own code executes
each act (see `run_actions`). The cases are complete, and are generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from tests.postgres.factory import World
from tests.postgres.lanes import Lanes
from tests.postgres.run_actions import ACTS, WINDOWS
from tests.postgres.scenarios import GATED, SITUATIONS, is_legal

# The positions in which a third act matters: before, beside and behind the park of a question.
OF_THREE = ("executing", "asking", "asked")


@pytest.fixture(scope="module")
def lanes(law_url: str) -> Iterator[Lanes]:
    opened = Lanes(law_url, 3)
    yield opened
    opened.close()


def _meet(world: World, lanes: Lanes, situation: str, names: tuple[str, ...]) -> None:
    scene = {**SITUATIONS, **GATED}[situation](world)
    said = lanes.one_after_the_other([{**ACTS, **WINDOWS}[name](scene) for name in names])
    try:
        is_legal(world, scene, said)
        if situation in GATED:
            said.append(WINDOWS["reopen"](scene)(world.connection))
            is_legal(world, scene, said)
            waits = world.connection.execute("SELECT * FROM wait WHERE run_id = %s", [scene.run]).fetchall()
            assert not [wait for wait in waits if wait["kind"] == "window" and wait["outcome"] is None]
            row = world.row(scene.run)
            assert row["control_request"] != "window" or row["finished_at"]
    except AssertionError as error:
        raise AssertionError(_account(world, scene, situation, names, said)) from error


def _account(world: World, scene: Any, situation: str, names: tuple[str, ...], said: list[str]) -> str:
    row = {name: value for name, value in world.row(scene.run).items() if value is not None}
    told = [(event["type"], event["verb"], event["status"], event["data"]) for event in world.events(scene.run)]
    return f"{situation}: {' · '.join(names)} said {said}\n{row}\n{told}"


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("first", ACTS)
def test_every_two(world: World, lanes: Lanes, situation: str, first: str) -> None:
    for second in ACTS:
        _meet(world, lanes, situation, (first, second))


@pytest.mark.parametrize("situation", OF_THREE)
@pytest.mark.parametrize(("first", "second"), list(permutations(ACTS, 2)))
def test_every_three(world: World, lanes: Lanes, situation: str, first: str, second: str) -> None:
    for third in (name for name in ACTS if name not in (first, second)):
        _meet(world, lanes, situation, (first, second, third))


@pytest.mark.parametrize("situation", GATED)
@pytest.mark.parametrize("first", [*ACTS, *WINDOWS])
def test_a_window_and_every_two(world: World, lanes: Lanes, situation: str, first: str) -> None:
    """At least two of the three are a window that closes or opens, or the worker that reached an edge because of it."""
    others = permutations([*ACTS, *WINDOWS], 2)
    for names in ((first, *two) for two in others if first not in two):
        if len(set(names) & set(WINDOWS)) >= 2:
            _meet(world, lanes, situation, names)
