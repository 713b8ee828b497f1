"""A wait that its agent passed by stays open: it neither wakes nor ends the run, and takes no outcome of awaited waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from executor.activation.outcome import Canceled, Failed, HandedBack, Outcome, Succeeded
from models import control_requests, moves
from models.lifecycle import Reason
from models.moves import NewWait
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.postgres.factory import TENANT, World
from tests.postgres.lanes import Connection
from tests.postgres.run_actions import Scene, activate, answer, approval, end, expire, open_by_park, park, signal, word

Connect = Callable[[], Connection]


def timer(key: str, due_ms: int = 0) -> NewWait:
    return NewWait(key, "timer", {}, due_ms, "elapsed")


def _waiting(world: World, *opens: NewWait, wake: str = "any") -> Scene:
    scene = Scene(world.run("executing"), opens[0], opens, wake)
    open_by_park(world.connection, scene)
    return scene


def _again(world: World, scene: Scene, *opens: NewWait, wake: str = "any") -> None:
    """Park the run's next activation for these waits."""
    activate(world.connection, scene)
    scene.opens, scene.wake = opens, wake
    open_by_park(world.connection, scene)


def _tick(world: World, scene: Scene) -> None:
    """End due waits, as the scheduler does."""
    with world.connection.transaction():
        run_state = waits.lock_run(scene.run, TENANT).one(world.connection)
        assert run_state is not None
        wake_run(world.connection, run_state, waits.resolve_due(scene.run).all(world.connection))


def _outcomes(world: World, scene: Scene) -> dict[str, str | None]:
    rows = world.connection.execute("SELECT key, outcome FROM wait WHERE run_id = %s ORDER BY id", [scene.run])
    return {row["key"]: row["outcome"] for row in rows}


def _stands(world: World, scene: Scene) -> tuple[str, str | None]:
    row = world.row(scene.run)
    return row["status"], row["pause_kind"]


def test_a_message_goes_to_the_wait_that_the_run_stands_still_for(world: World) -> None:
    """A loop that waits for a message or for some time would otherwise lose each message that comes after some time."""
    scene = _waiting(world, word("word 1"), timer("nap 1"))
    _tick(world, scene)
    assert _outcomes(world, scene) == {"word 1": None, "nap 1": "elapsed"}
    _again(world, scene, word("word 2"), timer("nap 2", 60_000))

    assert signal(scene)(world.connection) == "received"

    assert _outcomes(world, scene) == {"word 1": None, "nap 1": "elapsed", "word 2": "received", "nap 2": None}
    assert _stands(world, scene) == ("RUNNING", None)


@pytest.mark.parametrize("paused", [False, True])
def test_a_message_to_a_run_that_does_not_stand_still_for_one_is_kept_until_it_does(world: World, paused: bool) -> None:
    scene = _waiting(world, word("word 1"), timer("nap"))
    _tick(world, scene)
    if paused:
        assert moves.pause_idle(scene.run).one(world.connection)
    assert waits.next_for_signal(scene.run, "word").one(world.connection) is None

    assert signal(scene)(world.connection) == "kept"

    if paused:
        assert moves.resume(scene.run, reason=Reason.BY_USER).one(world.connection)
    _again(world, scene, word("word 1"), word("word 2"), wake="all")
    assert _outcomes(world, scene) == {"word 1": "received", "nap": "elapsed", "word 2": None}
    assert world.row(scene.run)["pending_waits"] == 1
    assert waits.next_for_signal(scene.run, "word").one(world.connection) is not None


@pytest.mark.parametrize("decide", [lambda scene: answer(scene, "denied"), expire])
@pytest.mark.parametrize("then", ["ready", "executing", "paused by user", "waiting for something else"])
def test_a_question_that_lost_may_be_denied_and_nothing_follows(world: World, then: str, decide: Any) -> None:
    scene = _waiting(world, approval(on_deny="cancel"), word())
    assert signal(scene)(world.connection) == "received"
    if then == "paused by user":
        assert moves.pause_idle(scene.run).one(world.connection)
    elif then == "executing":
        activate(world.connection, scene)
    elif then != "ready":
        _again(world, scene, word("word 2"))
    before = _stands(world, scene)

    assert not decide(scene)(world.connection).startswith("no")

    assert _stands(world, scene) == before
    assert _outcomes(world, scene)["ask"] == "denied"
    assert world.events(scene.run)[-1]["type"] == "run_action", "it is told what somebody decided"


def test_a_child_that_lost_may_end_and_its_parent_knows_it_without_standing_still_again(world: World) -> None:
    children = (NewWait("one", "child", {"signal": "child/one"}), NewWait("two", "child", {"signal": "child/two"}))
    scene = _waiting(world, *children)
    assert signal(scene, "child/one")(world.connection) == "received"
    assert signal(scene, "child/two")(world.connection) == "received"
    assert _outcomes(world, scene) == {"one": "received", "two": "received"}
    assert [event["verb"] for event in world.events(scene.run)].count("resume") == 1
    activate(world.connection, scene)
    settled = world.connection.execute(waits.SETTLED, {"run": scene.run}).fetchall()
    assert [one["key"] for one in settled] == ["one", "two"], "the first stays the first"


def test_a_loser_that_the_agent_comes_back_to_is_waited_for_again(world: World) -> None:
    scene = _waiting(world, approval(on_deny="cancel"), word())
    assert signal(scene)(world.connection) == "received"
    _again(world, scene, scene.question)
    assert answer(scene, "denied")(world.connection) == "denied"
    assert (world.row(scene.run)["status"], world.row(scene.run)["reason"]) == ("CANCELED", "denied")


def test_a_loser_that_is_decided_while_the_agent_comes_back_to_it_is_not_waited_for(world: World) -> None:
    """Its park finds the inbox changed and the wait ended; the next activation receives the outcome."""
    scene = _waiting(world, approval(), word())
    assert signal(scene)(world.connection) == "received"
    activate(world.connection, scene)
    assert answer(scene, "approved")(world.connection) == "approved"
    scene.opens = (scene.question,)
    assert park(scene)(world.connection) == "handed_back:wait_over"
    assert _stands(world, scene) == ("RUNNING", None)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Succeeded(9, "1"), "SUCCESS"),
        (Failed(9, "agent_error", {"code": "agent_error"}), "FAILED"),
        (Canceled(9, None, "returned", "cas"), "CANCELED"),
    ],
)
def test_a_loser_that_is_open_when_the_worker_ends_the_run_is_withdrawn(
    world: World, outcome: Outcome, status: str
) -> None:
    scene = _waiting(world, approval(), word())
    assert signal(scene)(world.connection) == "received"
    activate(world.connection, scene)
    end(scene, outcome)(world.connection)
    assert _stands(world, scene) == (status, None)
    assert _outcomes(world, scene) == {"ask": "withdrawn", "word": "received"}


# ------------------------------------------------------------------------------------------- who is the first
def test_who_was_first_does_not_depend_on_when_transactions_began(world: World, connect: Connect) -> None:
    """An activation may have continued with the winner before the other is decided: it must always stay the winner."""
    scene = _waiting(world, approval("slow"), approval("fast"))
    slow, fast = Scene(scene.made, scene.opens[0]), Scene(scene.made, scene.opens[1])
    began_early = connect()
    began_early.execute("BEGIN")
    began_early.execute("SELECT now()")
    assert answer(fast, "approved")(world.connection) == "approved"
    run_state = waits.lock_run(scene.run, TENANT).one(began_early)
    assert run_state is not None
    assert waits.decide(slow.run, slow.question.id, outcome="approved", by="ann").one(began_early)
    began_early.execute("COMMIT")

    settled = world.connection.execute(waits.SETTLED, {"run": scene.run}).fetchall()
    assert [one["key"] for one in settled] == ["fast", "slow"]


@pytest.mark.parametrize(("question_due", "status"), [(0, "CANCELED"), (90, "RUNNING")])
def test_of_two_that_are_due_in_one_tick_the_earlier_counts(world: World, question_due: int, status: str) -> None:
    """The scheduler may have been away; it then takes what it finds in the original order."""
    asked = NewWait("ask", "approval", {"prompt": "?", "onDeny": "cancel"}, question_due, "denied", "n", "d")
    scene = _waiting(world, asked, timer("nap", 50))
    world.connection.execute("UPDATE wait SET due_at = due_at - interval '1 h' WHERE run_id = %s", [scene.run])
    _tick(world, scene)
    assert world.row(scene.run)["status"] == status
    settled = world.connection.execute(waits.SETTLED, {"run": scene.run}).fetchall()
    if status == "RUNNING":
        assert [(one["key"], one["outcome"]) for one in settled] == [("nap", "elapsed"), ("ask", "denied")]


# --------------------------------------------------------------------------------------------- what activations receive
def test_each_question_is_told_once_also_beside_one_that_was_told_before(world: World) -> None:
    old, older = approval("old"), approval("older")
    scene = _waiting(world, old, older, timer("nap"))
    _tick(world, scene)
    _again(world, scene, old, older, approval("new"), approval("newer"), wake="all")
    told = [event["data"]["prompt"] for event in world.events(scene.run) if event["type"] == "run_approval"]
    assert told == ["old?", "older?", "old?", "new?", "newer?"], "the event of a park tells of one in any case"
    row = world.row(scene.run)
    assert [event["seq"] for event in world.events(scene.run)] == list(range(1, row["seq"] + 1))


@pytest.mark.parametrize(
    ("act", "who"), [(expire, {}), (lambda scene: answer(scene, "denied", by="dan"), {"by": "dan"})]
)
def test_whoever_wanted_a_pause_is_not_taken_for_whoever_ended_the_run(world: World, act: Any, who: Any) -> None:
    scene = _waiting(world, approval())
    assert control_requests.request_pause(scene.run, by="pam", comment="later").one(world.connection)
    act(scene)(world.connection)
    end_ = world.events(scene.run)[-1]
    assert (end_["type"], end_["status"], end_["data"]) == ("end", "CANCELED", who)


def test_a_pause_that_a_hand_back_honours_says_who_wanted_it(world: World) -> None:
    scene = Scene(world.run("executing"), approval())
    assert control_requests.request_pause(scene.run, by="pam", comment="later").one(world.connection)
    assert end(scene, HandedBack(Reason.DRAINED, None))(world.connection) == "handed_back:drained"
    data = world.events(scene.run)[-1]["data"]
    assert _stands(world, scene) == ("PAUSED", "user")
    assert (data["by"], data["comment"], data["cause"]) == ("pam", "later", "drained")


def test_what_is_told_of_a_question_stays_small_in_every_script(world: World) -> None:
    details = "審" * 20_000  # 60 KB as text, 120 KB with every character escaped
    asked = NewWait("ask", "approval", {"prompt": "?", "details": details}, None, None, "n", "d")
    scene = _waiting(world, asked)
    row = world.connection.execute(
        "SELECT octet_length(data::text) AS size FROM event WHERE run_id = %s AND type = 'run_approval'", [scene.run]
    ).fetchone()
    assert row is not None
    assert row["size"] <= 64 << 10


def test_a_run_that_has_ended_is_not_changed_by_whoever_knocks(world: World) -> None:
    made = world.run("succeeded")
    before = world.whole(made.id)
    assert waits.lock_run(made.id, TENANT).one(world.connection)
    assert world.whole(made.id) == before
