"""Important meetings of two acts, by name: the winner, in either order, and the answer to each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.postgres.factory import World
from tests.postgres.lanes import Lanes
from tests.postgres.run_actions import ACTS, Scene, word
from tests.postgres.scenarios import SITUATIONS, is_legal


@pytest.fixture(scope="module")
def lanes(law_url: str) -> Iterator[Lanes]:
    opened = Lanes(law_url, 2)
    yield opened
    opened.close()


def _meet(world: World, lanes: Lanes, scene: Scene, *names: str) -> tuple[list[str], dict[str, Any]]:
    said = lanes.one_after_the_other([ACTS[name](scene) for name in names])
    is_legal(world, scene, said)
    return said, world.row(scene.run)


def _verbs(world: World, scene: Scene) -> list[str]:
    return [event["verb"] or event["type"] for event in world.events(scene.run)]


def _outcome(world: World, scene: Scene) -> str | None:
    row = world.connection.execute("SELECT outcome FROM wait WHERE id = %s", [scene.question.id]).fetchone()
    return row["outcome"] if row else None


def test_a_cancel_that_comes_before_a_park_takes_its_place(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    said, row = _meet(world, lanes, scene, "cancel", "park")
    assert (said, row["status"], _outcome(world, scene)) == (["requested", "canceled"], "CANCELED", None)


def test_a_cancel_that_comes_behind_a_park_withdraws_its_question(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    said, row = _meet(world, lanes, scene, "park", "cancel")
    assert (said, row["status"], _outcome(world, scene)) == (
        ["parked:approval_needed", "canceled"],
        "CANCELED",
        "withdrawn",
    )


def test_a_finish_beats_a_cancel_that_was_only_asked_for_and_says_so(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    said, row = _meet(world, lanes, scene, "cancel", "finish")
    assert (said, row["status"]) == (["requested", "succeeded"], "SUCCESS")
    assert world.events(scene.run)[-1]["data"] == {"cancelTooLate": True}


def test_a_cancel_behind_a_finish_is_told_that_the_run_has_ended(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    said, row = _meet(world, lanes, scene, "finish", "cancel")
    assert (said, row["status"], row["control_request"]) == (["succeeded", "no: ended"], "SUCCESS", None)


@pytest.mark.parametrize("situation", ["executing", "asked", "ready", "asked, to pause"])
@pytest.mark.parametrize("order", [("cancel", "pause"), ("pause", "cancel")], ids=" then ".join)
def test_a_cancel_beats_a_pause_in_either_order(
    world: World, lanes: Lanes, situation: str, order: Sequence[str]
) -> None:
    scene = SITUATIONS[situation](world)
    _, row = _meet(world, lanes, scene, *order)
    if row["lease_worker"]:
        assert row["control_request"] == "cancel"
        assert ACTS["drain"](scene)(world.connection) == "handed_back:drained"
    assert world.row(scene.run)["status"] == "CANCELED"
    assert "pause_by_user" not in _verbs(world, scene) or order[0] == "pause"


@pytest.mark.parametrize(
    ("order", "outcome", "status"),
    [(("approve", "expire"), "approved", "RUNNING"), (("expire", "approve"), "denied", "CANCELED")],
)
def test_a_question_that_is_approved_when_its_time_comes_has_one_outcome(
    world: World, lanes: Lanes, order: Sequence[str], outcome: str, status: str
) -> None:
    scene = SITUATIONS["asked"](world)
    said, row = _meet(world, lanes, scene, *order)
    assert (_outcome(world, scene), row["status"]) == (outcome, status)
    assert said[1].startswith("no")


def test_a_message_that_comes_before_the_park_is_found_by_it(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    scene.opens = (word(),)
    said, row = _meet(world, lanes, scene, "signal", "park")
    assert (said, row["status"]) == (["kept", "parked:waiting"], "RUNNING")
    assert _verbs(world, scene)[-2:] == ["pause_by_agent", "resume"]


def test_a_message_that_comes_behind_the_park_wakes_the_run(world: World, lanes: Lanes) -> None:
    scene = SITUATIONS["executing"](world)
    scene.opens = (word(),)
    said, row = _meet(world, lanes, scene, "park", "signal")
    assert (said, row["status"]) == (["parked:waiting", "received"], "RUNNING")


@pytest.mark.parametrize("order", [("pause", "approve"), ("approve", "pause")], ids=" then ".join)
@pytest.mark.parametrize("situation", ["asked", "both of two", "any of two"])
def test_a_pause_of_a_run_whose_wait_is_just_over_stands_in_either_order(
    world: World, lanes: Lanes, situation: str, order: Sequence[str]
) -> None:
    scene = SITUATIONS[situation](world)
    _, row = _meet(world, lanes, scene, *order)
    if situation == "both of two":
        assert (row["pause_kind"], row["control_request"]) == ("approval", "pause")
        assert ACTS["signal"](scene)(world.connection) == "received"
        row = world.row(scene.run)
    assert (row["status"], row["pause_kind"], row["control_request"]) == ("PAUSED", "user", None)
    assert _verbs(world, scene)[-2:] == ["resume", "pause_by_user"]
    assert world.events(scene.run)[-1]["data"] == {"by": "pam", "comment": "later"}


@pytest.mark.parametrize("order", [("deny", "pause"), ("pause", "deny")], ids=" then ".join)
def test_a_denial_that_cancels_does_not_wait_for_a_pause(world: World, lanes: Lanes, order: Sequence[str]) -> None:
    scene = SITUATIONS["asked"](world)
    _, row = _meet(world, lanes, scene, *order)
    assert (row["status"], row["reason"], world.events(scene.run)[-1]["data"]) == ("CANCELED", "denied", {"by": "ann"})


@pytest.mark.parametrize("order", [("deny", "resume"), ("resume", "deny")], ids=" then ".join)
def test_no_resume_takes_the_place_of_a_decision(world: World, lanes: Lanes, order: Sequence[str]) -> None:
    scene = SITUATIONS["asked"](world)
    said, row = _meet(world, lanes, scene, *order)
    assert (row["status"], row["reason"]) == ("CANCELED", "denied")
    assert sorted(said)[1].startswith("no")


@pytest.mark.parametrize(
    ("order", "reason", "outcome"),
    [(("expire", "cancel"), "timeout", "denied"), (("cancel", "expire"), "by_user", "withdrawn")],
)
def test_a_run_that_is_canceled_when_its_time_comes_ends_once(
    world: World, lanes: Lanes, order: Sequence[str], reason: str, outcome: str
) -> None:
    scene = SITUATIONS["asked"](world)
    _, row = _meet(world, lanes, scene, *order)
    assert (row["status"], row["reason"], _outcome(world, scene)) == ("CANCELED", reason, outcome)


@pytest.mark.parametrize("last", ["drain", "crash"])
@pytest.mark.parametrize("order", [("pause", "cancel"), ("cancel", "pause"), ("pause",)], ids=" then ".join)
def test_what_was_asked_of_an_activation_that_dies_is_done_all_the_same(
    world: World, lanes: Lanes, order: Sequence[str], last: str
) -> None:
    scene = SITUATIONS["executing"](world)
    for name in order:
        ACTS[name](scene)(world.connection)
    _, row = _meet(world, lanes, scene, last)
    ended = ("CANCELED", None) if "cancel" in order else ("PAUSED", "user")
    assert (row["status"], row["pause_kind"]) == ended
